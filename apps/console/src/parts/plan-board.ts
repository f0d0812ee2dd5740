/**
 * Where the packets of a gate stand on its board: a column for each step of the longest way from the
 * start, so that every dependency points to the left. Pure; takes what the server sends as it comes.
 */
import type { GateView } from '@holdfast/api';

export type GatePacket = GateView['packets'][number];

/** @returns columns from left to right, packets in the order of the gate file; an unknown or circular need counts as no need */
export function planBoard(packets: readonly GatePacket[]): readonly (readonly GatePacket[])[] {
  const byId = new Map(packets.map((packet) => [packet.id, packet]));
  const first = packets[0]?.id;
  const columns = new Map<string, number>();
  const open = new Set<string>();
  const columnOf = (id: string): number => {
    const known = columns.get(id);
    const packet = byId.get(id);
    if (known !== undefined) return known;
    if (packet === undefined || open.has(id)) return -1;
    open.add(id);
    // Everything comes after the freeze, also where the file does not say so.
    const needs = id === first || packet.needs.length > 0 || first === undefined ? packet.needs : [first];
    const column = 1 + Math.max(-1, ...needs.map(columnOf));
    open.delete(id);
    columns.set(id, column);
    return column;
  };
  const board: GatePacket[][] = [];
  for (const packet of packets) (board[columnOf(packet.id)] ??= []).push(packet);
  return Array.from(board, (column) => column ?? []);
}
