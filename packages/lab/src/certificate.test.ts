import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { selfSignedCertificate } from './certificate.ts';

const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const base = { name: 'web-1.lab.internal', key, serial: 7 };

describe('self-signed certificates', () => {
  const cases = [
    { name: 'valid now', from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' },
    { name: 'long over', from: '2001-02-03T04:05:06Z', to: '2002-02-03T04:05:06Z' },
    { name: 'beyond what UTCTime can say', from: '2049-12-31T23:59:59Z', to: '2050-01-01T00:00:00Z' },
  ];
  for (const { name, from, to } of cases) {
    it(`are read back by OpenSSL as they were meant: ${name}`, () => {
      const pem = selfSignedCertificate({ ...base, notBeforeMs: Date.parse(from), notAfterMs: Date.parse(to) });
      const certificate = new X509Certificate(pem);
      assert.equal(certificate.verify(createPublicKey(key)), true);
      assert.equal(certificate.checkPrivateKey(key), true);
      assert.equal(certificate.subject, 'CN=web-1.lab.internal');
      assert.equal(certificate.checkHost('web-1.lab.internal'), 'web-1.lab.internal');
      assert.equal(Date.parse(certificate.validFrom), Date.parse(from));
      assert.equal(Date.parse(certificate.validTo), Date.parse(to));
    });
  }

  for (const serial of [0, 1, 0x7f, 0x80, 0xff_ff_ff_ff]) {
    it(`encode serial ${serial} as a positive integer of least length`, () => {
      const pem = selfSignedCertificate({ ...base, serial, notBeforeMs: 0, notAfterMs: 1000 });
      assert.equal(Number.parseInt(new X509Certificate(pem).serialNumber, 16), serial);
    });
  }
});
