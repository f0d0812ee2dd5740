export type { GuardBaseline } from './baseline-holder.ts';
export {
  connectGuard,
  type GuardClient,
  type OperationRequest,
  type OutboxPage,
  type PlanReport,
  type SealedReport,
  type UnfreezeReport,
} from './client/guard-client.ts';
export { type GuardConfig, loadGuardConfig, parseTrust } from './guard-config.ts';
export type { ConnectSandbox } from './command/command-desk.ts';
export type { GuardEvent, GuardStartDeps } from './guard-core.ts';
export {
  checkOrder,
  type OrderContext,
  type OrderRefusal,
  type OrderVerdict,
  readOrder,
  verifyOrder,
} from './order/verify-order.ts';
export { type GuardRecovery, recoverGuard } from './recover-guard.ts';
export { assertPeerCredentials, openPeerCredentials, type PeerCredentials } from './socket/peer-credentials.ts';
export { DEFAULT_SOCKET_LIMITS, type SocketLimits } from './socket/socket-server.ts';
export { startGuard } from './start-guard.ts';
export { readBootId, systemClock } from './system-clock.ts';
