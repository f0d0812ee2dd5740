/** Ids that people say aloud: `F-1`, `RISK-2`, `C-3`; numbered by the tool. */

/** The next number behind the highest that was ever used. */
export function nextId(prefix: string, used: readonly string[]): string {
  const pattern = new RegExp(`^${prefix}-([0-9]{1,9})$`);
  const numbers = used.map((id) => Number(pattern.exec(id)?.[1] ?? 0));
  return `${prefix}-${Math.max(0, ...numbers) + 1}`;
}
