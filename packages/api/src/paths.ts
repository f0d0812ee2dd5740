/** Where things are on a host. Everything hangs under one root, so that tests and simulated hosts have their own. */
export interface HostPaths {
  readonly guardConfig: string;
  readonly agentConfig: string;
  readonly policy: string;
  readonly baseline: string;
  /** Signed modules of custom checks. */
  readonly checkModules: string;
  readonly trust: string;
  readonly guardState: string;
  readonly agentState: string;
  readonly evidence: string;
  readonly auditLog: string;
  readonly socket: string;
  readonly spawnerSocket: string;
  readonly hostKey: string;
  readonly tlsKey: string;
  readonly tlsCertificate: string;
}

/** @param root `/` on a real host, or an absolute directory */
export function hostPaths(root: string): HostPaths {
  const at = (path: string): string => (root === '/' ? path : root.replace(/\/+$/, '') + path);
  return {
    guardConfig: at('/etc/holdfast/guard.toml'),
    agentConfig: at('/etc/holdfast/agent.toml'),
    policy: at('/etc/holdfast/policy.toml'),
    baseline: at('/etc/holdfast/baseline.dsse.json'),
    checkModules: at('/etc/holdfast/checks'),
    trust: at('/etc/holdfast/trust.json'),
    guardState: at('/var/lib/holdfast/guard'),
    agentState: at('/var/lib/holdfast/agent'),
    evidence: at('/var/lib/holdfast/evidence'),
    auditLog: at('/var/lib/holdfast/guard/audit'),
    socket: at('/run/holdfast/guard.sock'),
    spawnerSocket: at('/run/holdfast/spawner.sock'),
    hostKey: at('/var/lib/holdfast/guard/keys/host.key'),
    tlsKey: at('/var/lib/holdfast/agent/tls.key'),
    tlsCertificate: at('/var/lib/holdfast/agent/tls.crt'),
  };
}
