export {
  type AnyOperation,
  type ChangeOutcome,
  eraseTypes,
  type Operation,
  type Resource,
  type Step,
  type Verification,
} from './operation.ts';
