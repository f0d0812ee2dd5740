/** What systemctl(1) prints, as values. Pure. */
import type { ServiceState } from '@holdfast/host';

/**
 * Parses `systemctl show -p Id,LoadState,ActiveState,SubState,UnitFileState`: one block of
 * `Key=value` lines per unit, blocks parted by an empty line, in the order asked. The unit keeps the
 * name it was asked by, also when that is an alias.
 *
 * @returns `undefined` when the text does not answer for every unit
 */
export function parseShow(text: string, units: readonly string[]): ServiceState[] | undefined {
  const blocks = text
    .split('\n\n')
    .map((block) => block.trim())
    .filter((block) => block !== '');
  if (blocks.length !== units.length) return undefined;
  const states: ServiceState[] = [];
  for (const [index, unit] of units.entries()) {
    const values = new Map<string, string>();
    for (const line of blocks[index]?.split('\n') ?? []) {
      const equals = line.indexOf('=');
      if (equals <= 0) return undefined;
      values.set(line.slice(0, equals), line.slice(equals + 1));
    }
    const load = values.get('LoadState');
    const active = values.get('ActiveState');
    const sub = values.get('SubState');
    if (!load || !active || !sub) return undefined;
    // A unit without a file (transient, missing) has no UnitFileState.
    states.push({ unit, load, active, sub, enabled: values.get('UnitFileState') ?? '' });
  }
  return states;
}

/** Parses `systemctl list-units --plain --no-legend`: the unit is the first word of each line. */
export function parseUnitList(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((unit) => unit !== '')
    .toSorted();
}
