export {
  BREAKABLE_CHECKS,
  type BreakableCheck,
  breakSimulatedHost,
  mendSimulatedHost,
} from './break-simulated-host.ts';
export { ManualClock } from './manual-clock.ts';
export { openSimulatedHost, type SimulatedHostOptions } from './open-simulated-host.ts';
export { CERTIFICATE_FILE, CERTIFICATE_PORT, LOGGING_UNIT } from './state.ts';
