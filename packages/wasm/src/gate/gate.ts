/**
 * What a decoded module must keep before it is rewritten: the static caps and the imports
 * that are offered. Caps on what is kept while decoding are checked there, caps of single
 * functions where those are scanned.
 */
import { HoldfastError } from '@holdfast/core';
import type { OfferedImports } from '../admit.ts';
import type { WasmModule } from '../binary/module.ts';
import type { ModuleLimits } from '../limits.ts';
import { refuseLimit } from './refuse-limit.ts';

export const PAGE_BYTES = 65_536;

/** @throws `ERR_WASM_IMPORT`, `ERR_WASM_LIMIT`, `ERR_WASM_MEMORY` */
export function checkModule(module: WasmModule, offered: OfferedImports, limits: ModuleLimits): void {
  for (const { module: from, name, kind } of module.imports) {
    if (kind !== 'function' || offered.get(from)?.has(name) !== true) {
      throw new HoldfastError('the module imports what is not offered', {
        code: 'ERR_WASM_IMPORT',
        fields: { module: printable(from), name: printable(name), kind },
      });
    }
  }
  if (module.globals > limits.globals) refuseLimit('globals', limits.globals, module.globals);
  if (module.dataBytes > limits.dataBytes) refuseLimit('dataBytes', limits.dataBytes, module.dataBytes);
  for (const { initial } of module.tables) {
    if (initial > limits.tableElements) refuseLimit('tableElements', limits.tableElements, initial);
  }
  const initialBytes = (module.memory?.initial ?? 0) * PAGE_BYTES;
  if (initialBytes > limits.memoryBytes) {
    throw new HoldfastError('the module starts with more memory than allowed', {
      code: 'ERR_WASM_MEMORY',
      fields: { max: limits.memoryBytes, found: initialBytes },
    });
  }
}

/** A stranger chose the name: what goes into an error is short and plain. */
function printable(text: string): string {
  return text.slice(0, 64).replaceAll(/[^\w.$:-]/g, '?');
}
