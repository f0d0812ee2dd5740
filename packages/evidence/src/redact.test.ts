import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalJson, hasCode, type Json } from '@holdfast/core';
import * as fc from 'fast-check';
import { samplePredicate } from '../test/sample.ts';
import { parseRedactionRules, redact, redactPredicate } from './redact.ts';
import { REDACTION_CLASSES } from './redaction-classes.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

describe('redaction', () => {
  // What must not remain, in the text around it, and what is left.
  const found: { class: string; text: string; left: string }[] = [
    {
      class: 'pem-block',
      text: 'a\n-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----\nb',
      left: 'a\n[]\nb',
    },
    { class: 'pem-block', text: 'x -----BEGIN OPENSSH PRIVATE KEY----- cut off', left: 'x []' },
    { class: 'url-password', text: 'postgres://app:s3cret@db:5432/x', left: 'postgres://app:[]@db:5432/x' },
    { class: 'url-password', text: 'https://u:p@ss@host/', left: 'https://u:[]@host/' },
    { class: 'url-password', text: `redis://:${'x'.repeat(2_000)}@h`, left: 'redis://:[]@h' },
    { class: 'aws-key', text: 'id AKIAIOSFODNN7EXAMPLE end', left: 'id [] end' },
    {
      class: 'aws-key',
      text: 'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      left: 'aws_secret_access_key = []',
    },
    { class: 'bearer-token', text: 'Authorization: Bearer abc.def', left: 'Authorization: Bearer []' },
    { class: 'bearer-token', text: 'authorization: Basic dXNlcjpwYXNz', left: 'authorization: Basic []' },
    { class: 'bearer-token', text: 'sent bearer mF_9.B5f-4.1JqM twice', left: 'sent bearer [] twice' },
    { class: 'bearer-token', text: 'jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', left: 'jwt []' },
    { class: 'api-key', text: 'ghp_0123456789abcdefghijABCDEFGHIJ012345', left: '[]' },
    { class: 'api-key', text: 'X-Api-Key: 12ab', left: 'X-Api-Key: []' },
    { class: 'password', text: 'DB_PASSWORD=hunter2 next', left: 'DB_PASSWORD=[] next' },
    {
      class: 'password',
      text: '{"password": "correct \\"horse\\" battery", "a": 1}',
      left: '{"password": [], "a": 1}',
    },
    { class: 'password', text: 'client_secret: abc', left: 'client_secret: []' },
    { class: 'password', text: 'root:$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSI:19000', left: 'root:[]:19000' },
    { class: 'email', text: 'mail alice.b+c@example.co.uk, please', left: 'mail [], please' },
    { class: 'ssn', text: 'ssn 123-45-6789.', left: 'ssn [].' },
    { class: 'credit-card', text: 'card 4111 1111 1111 1111!', left: 'card []!' },
    { class: 'credit-card', text: 'card 5500000000000004', left: 'card []' },
    { class: 'credit-card', text: 'amex 3782 822463 10005', left: 'amex []' },
    { class: 'iban', text: 'DE89 3704 0044 0532 0130 00 AND MORE', left: '[] AND MORE' },
    { class: 'iban', text: 'to GB82WEST12345698765432,', left: 'to [],' },
    { class: 'phone', text: 'call +49 30 1234 5678 now', left: 'call [] now' },
    { class: 'phone', text: 'call (555) 123-4567', left: 'call []' },
    { class: 'mrn', text: 'MRN: 00123456', left: 'MRN: []' },
    { class: 'mrn', text: 'medical record number 1234567', left: 'medical record number []' },
    { class: 'npi', text: 'NPI 1234567893', left: 'NPI []' },
    { class: 'birth-date', text: 'DOB: 1980-02-29 x', left: 'DOB: [] x' },
    { class: 'birth-date', text: 'born 29 February 1980', left: 'born []' },
  ];
  for (const { class: name, text, left } of found) {
    it(`P-31: finds ${name} in ${JSON.stringify(text.slice(0, 50))}`, () => {
      const { value, counts } = redact(text);
      assert.equal(value, left.replace('[]', `[redacted:${name}]`));
      assert.deepEqual(counts, { [name]: 1 });
    });
  }

  it('P-31: knows 14 classes, and a sample of each is found above', () => {
    assert.equal(REDACTION_CLASSES.length, 14);
    assert.deepEqual(new Set(found.map((sample) => sample.class)), new Set(REDACTION_CLASSES.map(({ name }) => name)));
  });

  const kept = [
    'user@1000.service failed',
    'MACs hmac-sha2-256-etm@openssh.com,umac-128@openssh.com',
    'PasswordAuthentication no',
    'PermitEmptyPasswords no',
    'passwd:         files systemd',
    'password: locked',
    'bearer authentication is off',
    'sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
    '017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
    'at 2026-01-02T03:04:05.678Z, +02:00',
    '+2026-01-02 03:04 a line added to a log',
    '+192.168.100.200 added, 10.0.0.1:5432 removed',
    'ip saddr 2001:db8::1 tcp dport { 22, 443 } accept',
    'monotonic 1700000000000000000 ns',
    'https://host:8443/path?x=1#y',
    'https://user@host/',
    'AB12 is a shelf',
    'born in Berlin',
    'DE89 3704 0044 0532 0130 01',
    '4111 1111 1111 1112',
    'package 1.2.3-4567 at 000-12-3456',
  ];
  for (const text of kept) {
    it(`P-31: leaves ${JSON.stringify(text)}`, () => {
      assert.deepEqual(redact(text), { value: text, counts: {} });
    });
  }

  it('P-31: goes into every string, member names included, and counts', () => {
    const { value, counts } = redact({
      list: ['a@example.com', { deep: ['b@example.com'] }],
      'c@example.com': 1,
      'd@example.com': 2,
      number: 5,
      nothing: null,
    });
    assert.deepEqual(value, {
      list: ['[redacted:email]', { deep: ['[redacted:email]'] }],
      '[redacted:email]': 1,
      '[redacted:email]#2': 2,
      number: 5,
      nothing: null,
    });
    assert.deepEqual(counts, { email: 4 });
  });

  it('P-31: a member whose name says what it is goes as a whole, but for states', () => {
    const { value } = redact({
      password: 'correct horse battery',
      db_passwd: 12345,
      dob: 'the first of May 1980',
      MRN: 'x-1',
      npi: 1234567893,
      account: { password: 'locked' },
    });
    assert.deepEqual(value, {
      password: '[redacted:password]',
      db_passwd: '[redacted:password]',
      dob: '[redacted:birth-date]',
      MRN: '[redacted:mrn]',
      npi: '[redacted:npi]',
      account: { password: 'locked' },
    });
  });

  it('P-31: keeps a member named __proto__ a member', () => {
    const value = JSON.parse('{"__proto__": {"a": "x@example.com"}}') as Json;
    assert.equal(canonicalJson(redact(value).value), '{"__proto__":{"a":"[redacted:email]"}}');
  });

  it('P-31: redacting twice changes nothing and counts nothing', () => {
    const pieces = found.map(({ text }) => fc.constant(text));
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), ...pieces), { maxLength: 6 }), (parts) => {
        const once = redact(parts.join(' '));
        const twice = redact(once.value);
        assert.equal(twice.value, once.value);
        assert.deepEqual(twice.counts, {});
      }),
    );
  });

  it('P-31: what is planted in any text and set apart is never left', () => {
    const secrets = [
      'AKIAIOSFODNN7EXAMPLE',
      'alice@example.com',
      '123-45-6789',
      '4111111111111111',
      'GB82WEST12345698765432',
    ];
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...secrets), fc.string(), (before, secret, after) => {
        const { value } = redact(`${before}\n${secret}\n${after}`);
        assert.ok(!canonicalJson(value).includes(secret));
      }),
    );
  });

  // Each would take minutes under a pattern that backtracks.
  const hostile: { name: string; text: string }[] = [
    ...Array.from('aA1 -+@.:/="\\\'$_,{', (char) => ({ name: `only ${char}`, text: char.repeat(500_000) })),
    ...[
      '://',
      '://a:',
      'a@',
      'a.',
      '@a.',
      '@a.bc ',
      'eyJaaaaaaaa.',
      'eyJ',
      'bearer ',
      'password:',
      'password="\\',
      'aws secret key=',
      '-----BEGIN ',
      '-----BEGIN A-----',
      '4111 1111 ',
      '+1 23 ',
      'DE89 ',
      'AKIA',
      '$6$',
      'mrn ',
      'born 1 ',
      '123-45-',
      'sk-',
      'authorization: basic ',
    ].map((piece) => ({ name: JSON.stringify(piece), text: piece.repeat(Math.ceil(500_000 / piece.length)) })),
    { name: 'every letter', text: ALPHABET.repeat(15_000) },
  ];
  for (const { name, text } of hostile) {
    it(`P-31: half a megabyte of ${name} takes no time to speak of`, () => {
      // Processor time, not the wall's: other tests run beside this one.
      const before = process.cpuUsage();
      redact(text);
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 2_000_000, `${user + system} µs`);
    });
  }

  it('P-31: rules are configurable: classes off, own tokens and names on', () => {
    const rules = parseRedactionRules({
      disabled: ['email'],
      tokens: [{ class: 'employee', prefix: 'EMP(', characters: 'digits', minLength: 4 }],
      labels: [{ class: 'pin', label: 'door.code' }],
    });
    const { value, counts } = redact({ text: 'a@example.com EMP(12345', 'Door.Code': '1', doorXcode: '1' }, rules);
    assert.deepEqual(value, {
      text: 'a@example.com [redacted:employee]',
      'Door.Code': '[redacted:pin]',
      doorXcode: '1',
    });
    assert.deepEqual(counts, { employee: 1, pin: 1 });
  });

  const badRules: Json[] = [
    null,
    { disabled: ['nonsense'] },
    { patterns: ['(a+)+'] },
    { tokens: [{ class: 'x', prefix: 'a', characters: 'digits', minLength: 4 }] },
    { tokens: [{ class: 'X', prefix: 'ab', characters: 'digits', minLength: 4 }] },
    { tokens: [{ class: 'x', prefix: 'ab', characters: '.*', minLength: 4 }] },
  ];
  for (const config of badRules) {
    it(`P-31: refuses the rules ${JSON.stringify(config)}`, () => {
      assert.throws(
        () => parseRedactionRules(config),
        (error) => hasCode(error, 'ERR_CONFIG_INVALID'),
      );
    });
  }

  it('P-31: redacts a predicate where it quotes the host, and counts in it', () => {
    const predicate = samplePredicate({
      hostName: 'mail@example.com',
      preState: { line: 'password=hunter2' },
      postState: ['a@example.com'],
      error: { code: 'ERR_X', message: `${'x'.repeat(985)} a@example.com` },
      redactions: { email: 1 },
    });
    const redacted = redactPredicate(predicate);
    assert.equal(redacted.hostName, predicate.hostName);
    assert.deepEqual(redacted.preState, { line: 'password=[redacted:password]' });
    assert.deepEqual(redacted.postState, ['[redacted:email]']);
    assert.equal(redacted.error?.message.length, 1_000);
    assert.deepEqual(redacted.redactions, { email: 3, password: 1 });
  });
});
