export * from './agent-api.ts';
export * from './gate-view.ts';
export * from './guard-protocol.ts';
export * from './operator-api.ts';
export * from './order.ts';
export * from './paths.ts';
