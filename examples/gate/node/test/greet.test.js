import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greet } from '../src/greet.js';

test('greets by name', () => {
  assert.equal(greet('Ada', { mayGreet: () => true }), 'Hello, Ada!');
});

test('refuses whom it may not greet', () => {
  assert.throws(() => greet('Mallory', { mayGreet: () => false }), /not allowed/);
});
