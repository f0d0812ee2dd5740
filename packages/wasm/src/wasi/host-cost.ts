/**
 * What the host's work for a guest costs it in fuel: without it, a guest would buy host CPU with
 * calls that cost it one instruction. Charged before the work, from the arguments, or piece by piece
 * while it is done; always from what was asked and never from time, so that equal runs pay equally
 * . The numbers keep a unit of fuel within the spread that instructions have among
 * themselves (0.1 to 30 ns); like those of instructions they are a public contract, fixed by a golden test.
 */
export const HOST_COST = {
  /** Every call, also one that fails. */
  call: 100,
  /** Eight bytes copied cost one, as for `memory.copy`. */
  bytesPerUnit: 8,
  /** Each iovec looked at. */
  iovec: 4,
  /** Each name of a path that is resolved, those of the directory it starts from among them. */
  pathName: 20,
  /** Opening, creating, removing or renaming. */
  pathChange: 400,
  /** Each entry of a directory when its listing is taken. */
  directoryEntry: 40,
  /** Each random byte. */
  randomByte: 1,
  /** Each subscription of `poll_oneoff`. */
  subscription: 40,
} as const;
