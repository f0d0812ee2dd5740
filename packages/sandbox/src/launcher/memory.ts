/**
 * Where everything is in the launcher's memory. All addresses are fixed, so that the table can hold
 * absolute pointers and the machine code needs no logic to find anything.
 */

/** Of the code; aligned to the largest page an ARM kernel may use (64 KiB), as is the table. */
export const CODE_ADDRESS = 0x40_0000;

/** Largest table, argv and environment included. Pages of it that no table reaches take no memory. */
export const MAX_TABLE_BYTES = 0x10_0000;

/** Of the slot's table, which is there from the start of the one writable segment. */
export const SLOT_TABLE_ADDRESS = 0x1000_0000;

/** Of the job's table, which a slot waits for. After the longest of the other kind. */
export const JOB_TABLE_ADDRESS = SLOT_TABLE_ADDRESS + MAX_TABLE_BYTES;

/** Where a failure is noted: kind, address of the entry, result, 8 bytes each. After the longest tables. */
export const FAILURE_ADDRESS = JOB_TABLE_ADDRESS + MAX_TABLE_BYTES;
export const FAILURE_BYTES = 24;

/** Magic and length, 8 bytes each; the entries follow. */
export const HEADER_BYTES = 16;

/** 'HFT1', little-endian. */
export const TABLE_MAGIC = 0x3154_4648;

/** Number, six arguments, expectation, 8 bytes each. */
export const ENTRY_BYTES = 64;

/** What the result of an entry has to be: a value of 0 or more has to be met exactly, or one of these. */
export const EXPECT = {
  /** Any result that is no error. */
  success: -1,
  /** The result of a fork. In the child, the next entry; in the parent, that at the address in argument 5. */
  fork: -2,
  /** The process forked before; until then any other success repeats the entry. */
  child: -3,
  /**
   * The first bytes of another table, read from the descriptor in argument 0 to the address in argument 1.
   * The rest of it is received, and then its entries take the place of these.
   */
  table: -4,
} as const;

/** First word of each record the launcher writes to descriptor 3. */
export const RECORD = { ended: 1, failed: 2, listening: 3 } as const;
