/**
 * Runs metered modules and prints what they used, in plain JavaScript so that any Node runs it:
 * lines of `{name, metered (base64), fuelExport, fuel}` in, one line of JSON out.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const results = {};
for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const { name, metered, fuelExport, fuel } = JSON.parse(line);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(metered, 'base64')));
  exports[fuelExport].value = BigInt(fuel);
  let result;
  try {
    result = String(exports.run());
  } catch (error) {
    result = error.name;
  }
  const memory = createHash('sha256').update(new Uint8Array(exports.memory.buffer)).digest('hex').slice(0, 16);
  results[name] = `${result} used ${BigInt(fuel) - exports[fuelExport].value} memory ${memory}`;
}
process.stdout.write(JSON.stringify(results));
