import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { format, inspect } from 'node:util';
import { Secret } from './secret.ts';

const VALUE = 'hunter2-very-secret';
const secret = new Secret(VALUE);

describe('Secret', () => {
  const ways: { name: string; print: () => string }[] = [
    { name: 'String', print: () => String(secret) },
    { name: 'concatenation', print: () => ['', secret].join('') },
    { name: 'JSON', print: () => JSON.stringify({ secret }) },
    { name: 'inspect', print: () => inspect(secret) },
    {
      name: 'inspect with everything shown',
      print: () => inspect({ secret }, { showHidden: true, depth: null, getters: true, showProxy: true }),
    },
    { name: 'format %s', print: () => format('%s', secret) },
    { name: 'format %o', print: () => format('%o', secret) },
    { name: 'format %j', print: () => format('%j', secret) },
  ];
  for (const { name, print } of ways) {
    it(`P-08: ${name} gives [secret]`, () => {
      const text = print();
      assert.ok(text.includes('[secret]'), text);
      assert.ok(!text.includes(VALUE));
    });
  }

  const copies: { name: string; copy: () => unknown }[] = [
    { name: 'structured clone', copy: () => structuredClone(secret) },
    { name: 'entries', copy: () => Object.entries(secret) },
    { name: 'own properties', copy: () => Reflect.ownKeys(secret) },
    { name: 'Object.assign', copy: () => Object.assign({}, secret) },
  ];
  for (const { name, copy } of copies) {
    it(`P-08: ${name} does not carry the value`, () => {
      assert.ok(!inspect(copy(), { showHidden: true, depth: null }).includes(VALUE));
    });
  }

  it('P-08: an error that holds it as a field does not print it', () => {
    const error = new Error('refused', { cause: { secret } });
    assert.ok(!inspect(error, { depth: null }).includes(VALUE));
  });

  it('P-08: reveal gives the value', () => {
    assert.equal(secret.reveal(), VALUE);
  });
});
