/**
 * Who asks. A caller on the socket is what the kernel says it is (G-02); a signed order speaks for
 * the control plane (G-03). The policy gives such callers names.
 */
export type Caller =
  | { readonly kind: 'local'; readonly uid: number; readonly user: string | null }
  | { readonly kind: 'control-plane' };

/** How a caller is written in evidence and the audit log: `local:holdfast`, `local:uid-64001`, `control-plane`. */
export function formatCaller(caller: Caller): string {
  if (caller.kind === 'control-plane') return 'control-plane';
  return `local:${caller.user ?? `uid-${String(caller.uid)}`}`;
}
