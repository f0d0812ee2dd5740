import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { readZip } from './read-zip.ts';

const END64_BYTES = 56;
const LOCATOR_BYTES = 20;
const END_BYTES = 22;

/** Stored entries and a ZIP64 end (APPNOTE 4.3.14, 4.3.15), as writers make it from 65,535 entries on. */
function zip64(count: number): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const [name, content] = [Buffer.from(`E-${index}.json`), Buffer.from(`{"id":"E-${index}"}`)];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(0x5c22, 14); // 2026-01-02
    central.writeUInt32LE(crc32(content), 16);
    central.writeUInt32LE(content.length, 20);
    central.writeUInt32LE(content.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(at, 42);
    locals.push(local, name, content);
    directory.push(central, name);
    at += local.length + name.length + content.length;
  }
  const listing = Buffer.concat(directory);
  const end64 = Buffer.alloc(END64_BYTES);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(BigInt(END64_BYTES - 12), 4);
  end64.writeBigUInt64LE(BigInt(count), 24);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(listing.length), 40);
  end64.writeBigUInt64LE(BigInt(at), 48);
  const locator = Buffer.alloc(LOCATOR_BYTES);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(at + listing.length), 8);
  locator.writeUInt32LE(1, 16);
  const end = Buffer.alloc(END_BYTES, 0xff);
  end.writeUInt32LE(0x06054b50, 0);
  end.fill(0, 4, 8);
  end.writeUInt16LE(0, 20);
  return Buffer.concat([...locals, listing, end64, locator, end]);
}

describe('readZip', () => {
  it('R-25: reads archives of more than 65,535 entries, as that of npm is', () => {
    const count = 70_000;
    let read = 0;
    for (const { name, bytes, modifiedMs } of readZip(zip64(count))) {
      assert.equal(name, `E-${read}.json`);
      assert.equal(Buffer.from(bytes).toString(), `{"id":"E-${read}"}`);
      assert.equal(modifiedMs, Date.UTC(2026, 0, 2));
      read++;
    }
    assert.equal(read, count);
  });

  it('R-25: refuses a ZIP64 archive whose end is damaged, too large or elsewhere', () => {
    const whole = zip64(3);
    const end64 = whole.length - END_BYTES - LOCATOR_BYTES - END64_BYTES;
    const locator = whole.length - END_BYTES - LOCATOR_BYTES;
    const damages: readonly ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeUInt32LE(0, locator),
      (bytes) => bytes.writeUInt32LE(0, end64),
      (bytes) => bytes.writeBigUInt64LE(2n ** 63n, locator + 8),
      (bytes) => bytes.writeBigUInt64LE(2n ** 40n, end64 + 32),
      (bytes) => bytes.writeBigUInt64LE(4n, end64 + 32),
      (bytes) => bytes.writeBigUInt64LE(2n ** 60n, end64 + 48),
      (bytes) => bytes.writeBigUInt64LE(0n, end64 + 48),
    ];
    for (const [index, damage] of damages.entries()) {
      const bytes = Buffer.from(whole);
      damage(bytes);
      assert.throws(() => [...readZip(bytes)], RangeError, `damage ${index}`);
    }
    assert.equal([...readZip(whole)].length, 3);
  });
});
