/** The closed set of error codes, area by area. Adding a code here is all it takes to use it. */
import { AGENT_ERRORS } from './agent.ts';
import { AUDIT_ERRORS } from './audit.ts';
import { CHANGE_ERRORS } from './change.ts';
import { CLI_ERRORS } from './cli.ts';
import { COMPLIANCE_ERRORS } from './compliance.ts';
import { CORE_ERRORS } from './core.ts';
import { CRYPTO_ERRORS } from './crypto.ts';
import { EVIDENCE_ERRORS } from './evidence.ts';
import { GATE_ERRORS } from './gate.ts';
import { GUARD_ERRORS } from './guard.ts';
import { HOST_ERRORS } from './host.ts';
import { LAB_ERRORS } from './lab.ts';
import { POLICY_ERRORS } from './policy.ts';
import { SANDBOX_ERRORS } from './sandbox.ts';
import { SERVER_ERRORS } from './server.ts';
import { STORE_ERRORS } from './store.ts';
import { WASM_ERRORS } from './wasm.ts';

export type { ErrorEntry, Remedy } from './table.ts';

export const ERROR_CODES = {
  ...CORE_ERRORS,
  ...CRYPTO_ERRORS,
  ...HOST_ERRORS,
  ...CHANGE_ERRORS,
  ...AUDIT_ERRORS,
  ...EVIDENCE_ERRORS,
  ...POLICY_ERRORS,
  ...GUARD_ERRORS,
  ...SANDBOX_ERRORS,
  ...WASM_ERRORS,
  ...COMPLIANCE_ERRORS,
  ...GATE_ERRORS,
  ...AGENT_ERRORS,
  ...STORE_ERRORS,
  ...SERVER_ERRORS,
  ...LAB_ERRORS,
  ...CLI_ERRORS,
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
