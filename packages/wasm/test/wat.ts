/** WebAssembly text to bytes, for fixtures (wabt). */
import createWabt from 'wabt';

const wabt = await createWabt();

export function wat(text: string): Uint8Array {
  const module = wabt.parseWat('fixture.wat', text);
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}
