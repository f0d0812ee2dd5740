/**
 * The policy a host starts with: the agent may look, seal and ask for the five remediations; root may
 * do what the operations offer and read the audit log; the control plane may order the remediations.
 */
const TEMPLATE = `# What the guard of this host allows. No rule, no right.
version = 1

[[principals]]
name = "agent"
AGENT_PRINCIPAL

[[principals]]
name = "root"
uid = 0

[[principals]]
name = "control-plane"
kind = "control-plane"

[groups]
healers = ["agent", "root", "control-plane"]

[[rules]]
name = "remediations"
principals = ["healers"]
operations = ["firewall.restore", "services.restart", "logging.restart", "files.restore", "accounts.lock"]
effect = "allow"

[[rules]]
name = "never-lock-ourselves"
principals = ["healers"]
operations = ["accounts.lock"]
effect = "deny"
[rules.params.user]
enum = ["root", "holdfast"]

[[reads]]
name = "agent-reads"
principals = ["agent"]
allow = ["observe.packet-filter", "observe.accounts", "observe.files", "plan", "seal", "outbox", "changes"]

[[reads]]
name = "root-reads"
principals = ["root"]
allow = ["observe.packet-filter", "observe.accounts", "observe.files", "plan", "seal", "outbox", "changes", "audit.tail"]

[[rateLimits]]
name = "agent"
principals = ["agent", "control-plane"]
mutations = { burst = 100, perMinute = 60 }
seal = { burst = 2000, perMinute = 6000 }

[[windows]]
name = "always"
schedule = "00:00-24:00 UTC"
`;

/** For the agent that the packages install: the user `holdfast`. */
export const DEFAULT_AGENT_POLICY = formatAgentPolicy({ user: 'holdfast' });

/** The same policy for an agent that runs as somebody else, as on hosts without root. */
export function formatAgentPolicy(agent: { readonly user: string } | { readonly uid: number }): string {
  const who = 'uid' in agent ? `uid = ${String(agent.uid)}` : `user = ${JSON.stringify(agent.user)}`;
  return TEMPLATE.replace('AGENT_PRINCIPAL', who);
}
