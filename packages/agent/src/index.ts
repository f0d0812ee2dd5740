export { AGENT_OPTIONS, type AgentConfig, formatAgentConfig, parseAgentConfig } from './config.ts';
export { openBaselineChecks, type BaselineChecksDeps } from './baseline-checks.ts';
export { enrollHost, type EnrollOptions, enrollmentProofText } from './enroll.ts';
export { parseTokenFingerprint } from './enrollment-token.ts';
export { type GuardReaders, type Observer, openGuardReaders } from './guard-readers.ts';
export { type HostOwners, makeHostDirectories, writeHostConfig } from './host-files.ts';
export type {
  AgentLog,
  Checks,
  CheckRun,
  ClockJudgement,
  GuardPort,
  HealRequest,
  OutboxItem,
  ServerPort,
  Sleep,
} from './ports.ts';
export { openQueue, type Queue, type QueueStats, type Receipt } from './queue.ts';
export { connectServer } from './server-client.ts';
export { type AgentDeps, type AgentStart, loadAgentConfig, loadTrust, type RunningAgent, startAgent } from './start.ts';
export { openTlsTransport } from './transport.ts';
