import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ERROR_CODES } from './error-codes/all.ts';
import { renderErrorsDoc } from './errors-doc.ts';
import { hasCode, HoldfastError, isHoldfastError } from './errors.ts';

describe('HoldfastError', () => {
  it('takes the remedy of its code unless told otherwise', () => {
    assert.equal(new HoldfastError('x', { code: 'ERR_INPUT_INVALID' }).remedy, 'fix-input');
    assert.equal(new HoldfastError('x', { code: 'ERR_INPUT_INVALID', remedy: 'retry' }).remedy, 'retry');
  });

  it('is known by its brand and code, not by its class', () => {
    const error = new HoldfastError('x', { code: 'ERR_INPUT_INVALID' });
    assert.ok(isHoldfastError(error));
    assert.ok(hasCode(error, 'ERR_INPUT_INVALID'));
    assert.ok(!hasCode(error, 'ERR_CONFIG_INVALID'));
    assert.ok(!isHoldfastError({ code: 'ERR_INPUT_INVALID' }));
    assert.ok(!isHoldfastError(null));
  });

  it('keeps the cause', () => {
    const cause = new Error('inner');
    assert.equal(new HoldfastError('x', { code: 'ERR_INPUT_INVALID', cause }).cause, cause);
  });
});

describe('the error page', () => {
  it('has one section for each code, sorted', () => {
    const codes = Array.from(renderErrorsDoc().matchAll(/^## (ERR_\w+)$/gm), (match) => match[1]);
    assert.deepEqual(codes, Object.keys(ERROR_CODES).toSorted());
  });
});
