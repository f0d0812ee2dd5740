/** The little of DER (ITU-T X.690 §10) that a certificate request needs: encoding only, nothing untrusted is read. */

export const tagged = (tag: number, content: Uint8Array): Buffer => {
  const { length } = content;
  // X.690 §8.1.3: short form below 128, else the count of length octets with the top bit set.
  let header = [tag, length];
  if (length > 0xffff) header = [tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
  else if (length > 0xff) header = [tag, 0x82, length >> 8, length & 0xff];
  else if (length > 0x7f) header = [tag, 0x81, length];
  return Buffer.concat([Buffer.from(header), content]);
};

export const sequence = (...items: readonly Uint8Array[]): Buffer => tagged(0x30, Buffer.concat(items));
export const set = (...items: readonly Uint8Array[]): Buffer => tagged(0x31, Buffer.concat(items));
/** Of a number below 128. */
export const smallInteger = (value: number): Buffer => tagged(0x02, Buffer.from([value]));
export const utf8String = (text: string): Buffer => tagged(0x0c, Buffer.from(text));
/** Without unused bits. */
export const bitString = (bytes: Uint8Array): Buffer => tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
export const context = (number: number, ...items: readonly Uint8Array[]): Buffer =>
  tagged(0xa0 | number, Buffer.concat(items));

/** Dotted text, such as `2.5.4.3`. */
export function objectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

/** RFC 7468 §2: base64 in lines of 64. */
export function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .match(/.{1,64}/g) ?? [''];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
