/**
 * From a command's template and a request's parameters to an argv (G-10). Parameters fill whole
 * elements; nothing here is ever given to a shell. Whether a path still is what it was is checked
 * where the command runs, by descriptor.
 */
import { HoldfastError, type Json, type JsonObject } from '@holdfast/core';
import { compilePattern, isPathUnder } from './constraint.ts';
import type { Command, CommandParam } from './policy-schema.ts';

function refuse(command: Command, param: string, why: string): never {
  throw new HoldfastError('the command cannot be built from these parameters', {
    code: 'ERR_COMMAND_PARAMS',
    fields: { command: command.name, param, why },
  });
}

/** @returns the element's text, or `undefined` when the value does not fit */
// oxlint-disable-next-line typescript/consistent-return -- the switch is exhaustive, and the compiler says so when it is not
function renderParam(param: CommandParam, value: Json): string | undefined {
  switch (param.type) {
    case 'string':
      return typeof value === 'string' && value.length <= param.maxChars && compilePattern(param.pattern).test(value)
        ? value
        : undefined;
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= param.min && value <= param.max
        ? String(value)
        : undefined;
    case 'enum':
      return typeof value === 'string' && param.values.includes(value) ? value : undefined;
    case 'path':
      return typeof value === 'string' && isPathUnder(value, param.prefix) ? value : undefined;
  }
}

/** @throws `ERR_COMMAND_PARAMS` */
export function resolveArgv(command: Command, params: JsonObject): [string, ...string[]] {
  for (const name of Object.keys(params)) {
    if (!Object.hasOwn(command.params, name)) refuse(command, '(unknown)', 'unknown parameter'); // the name is the caller's text
  }
  let isAfterDashes = false;
  const elements = command.argv.map((element) => {
    if (element === '--') isAfterDashes = true;
    const name = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/.exec(element)?.[1];
    if (name === undefined) return element;
    const param = Object.hasOwn(command.params, name) ? command.params[name]! : refuse(command, name, 'not declared');
    const value = Object.hasOwn(params, name) ? params[name]! : refuse(command, name, 'missing');
    const text = renderParam(param, value) ?? refuse(command, name, 'out of range');
    if (text.includes('\0')) refuse(command, name, 'NUL');
    if (text.startsWith('-') && !isAfterDashes) refuse(command, name, 'starts with a dash');
    return text;
  });
  return [command.path, ...elements];
}
