export { describeGateLog, type GateLogSubject } from './gate-log.ts';
