/**
 * Digests of what was frozen: a run names that of its command, so that an expectation edited
 * afterwards does not fit it, and a new freeze re-opens the packets whose digest changed.
 */
import { canonicalJson } from '@holdfast/core';
import { sha256Hex } from '@holdfast/crypto';
import { FREEZE_PACKET, type Gate, type GateCommand, type Packet } from './gate-schema.ts';

/** Gates and their parts are never changed after parsing, so each is written out once. */
const commandDigests = new WeakMap<GateCommand, string>();
const contexts = new WeakMap<Gate, PacketContext>();

/** What packets of one gate have in common. */
interface PacketContext {
  readonly commands: ReadonlyMap<string, GateCommand>;
  readonly rubric: string;
  /** What evidence is judged by, for packets that need any. */
  readonly evidence: string;
}

/** SHA-256 of the command's canonical JSON with every default filled in, hex. */
export function commandDigest(command: GateCommand): string {
  let digest = commandDigests.get(command);
  if (digest === undefined) {
    digest = sha256Hex(canonicalJson(command));
    commandDigests.set(command, digest);
  }
  return digest;
}

/**
 * Covers all that decides what a packet asks for: its own definition, the rubric and, when it requires
 * commands, their definitions, the scope that they cover, the toolchain and the environment. That of
 * packet `00` covers the whole file.
 */
export function packetDigest(gate: Gate, packet: Packet): string {
  if (packet.id === FREEZE_PACKET) return sha256Hex(canonicalJson(gate));
  const context = contextOf(gate);
  const commands = packet.commands.map((id) => {
    const command = context.commands.get(id);
    return command === undefined ? null : commandDigest(command);
  });
  const evidence = commands.length > 0 ? context.evidence : null;
  return sha256Hex(canonicalJson({ packet, commands, rubric: context.rubric, evidence }));
}

function contextOf(gate: Gate): PacketContext {
  let context = contexts.get(gate);
  if (context === undefined) {
    const { scope, toolchain, environment } = gate;
    context = {
      commands: new Map(gate.commands.map((command) => [command.id, command])),
      rubric: sha256Hex(canonicalJson(gate.rubric)),
      evidence: sha256Hex(canonicalJson({ scope, toolchain, environment })),
    };
    contexts.set(gate, context);
  }
  return context;
}
