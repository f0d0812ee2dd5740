export { createLab, type LabOptions, openLab } from './create-lab.ts';
export { AGENT_ID, DEMO } from './demo-content.ts';
export { countVariants } from './drift.ts';
export { CHECKOUT_IN_HOST } from './host-image.ts';
export {
  BREAKABLE_CHECKS,
  type BreakableCheck,
  type Drift,
  type ExecOptions,
  type Lab,
  type LabHostState,
  type LabHostStatus,
  type LabInventory,
  type LabKind,
  type LabStatus,
} from './lab.ts';
export { probeLinuxLab, requireLinuxLab } from './probe-lab.ts';
export { isNothing, listRemains, type Remains } from './remains.ts';
export { SIMULATED_STATE } from './simulated-lab.ts';
