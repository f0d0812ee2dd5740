/** What is wrong with an object: outputs and reports that records name by digest. */
import { HoldfastError } from '@holdfast/core';

export function missingObject(digest: string): HoldfastError {
  return new HoldfastError('an output that a record names is missing', {
    code: 'ERR_GATE_OBJECT_MISSING',
    fields: { object: digest },
  });
}

export function changedObject(digest: string): HoldfastError {
  return new HoldfastError('an output that a record names was changed', {
    code: 'ERR_GATE_LOG_INVALID',
    fields: { object: digest, rule: 'R-10', reason: 'the object is not what its digest says' },
  });
}
