/**
 * Opens everything a guard is made of, in the order in which each part needs the others, and brings
 * what an earlier run left half done to its end. Shared by the daemon and the one-shot recovery.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { type AuditLog, type LogFiles, openAuditLog } from '@holdfast/audit';
import {
  type AnyOperation,
  type ChangeEngine,
  type ChangeRecord,
  createChangeEngine,
  openSqliteJournal,
} from '@holdfast/change';
import { type Clock, hasCode, type JsonObject } from '@holdfast/core';
import { loadSigner, sha256Hex } from '@holdfast/crypto';
import { openEvidenceStore } from '@holdfast/evidence';
import type { Host } from '@holdfast/host';
import { BaselineHolder, type GuardBaseline } from './baseline-holder.ts';
import { CommandDesk, type ConnectSandbox } from './command/command-desk.ts';
import { CommandJournal } from './command/command-journal.ts';
import { SandboxProbe } from './command/sandbox-probe.ts';
import { DenialDesk } from './denial-desk.ts';
import type { GuardConfig } from './guard-config.ts';
import { MutationDesk } from './mutation-desk.ts';
import { OrderDesk } from './order/order-desk.ts';
import { type CheckProfile, PolicyHolder } from './policy-holder.ts';
import { EvidenceIndex } from './sealing/evidence-index.ts';
import { EvidenceSealer, GUARD_ACTOR } from './sealing/evidence-sealer.ts';
import { draftOfChange } from './sealing/predicates.ts';
import { type GuardDatabase, openGuardDatabase } from './state/guard-database.ts';
import { NonceMemory } from './state/nonce-memory.ts';
import { OrderStore } from './state/order-store.ts';
import {
  loadKeyEncryptionKey,
  lockStateDirectory,
  prepareEvidenceDirectory,
  prepareStateDirectory,
} from './state/state-directory.ts';
import { readBootId, systemClock } from './system-clock.ts';
import { UnfreezeDesk } from './unfreeze-desk.ts';

export interface GuardStartDeps {
  readonly host: Host;
  /**
   * Reads and verifies the pinned baseline. Called at start and whenever its file changes, also when
   * there is none: operations to revert with may exist without one. What it throws means no baseline.
   */
  readonly loadBaseline: () => Promise<GuardBaseline>;
  /**
   * Operations offered while `loadBaseline` throws. They MUST refuse to begin anything, and revert
   * what was begun: without them such a change would freeze the host. None when left out.
   */
  readonly revertOperations?: ReadonlyMap<string, AnyOperation>;
  /** Told of what an operator of the daemon should see. MUST NOT throw. Fields are safe to log. */
  readonly onEvent?: (event: GuardEvent) => void;
  readonly clock?: Clock;
  readonly bootId?: string;
  /** How the audit log touches the disk. */
  readonly logFiles?: LogFiles;
  /** Where commands run. Without it, and on a simulated host, none does. */
  readonly connectSandbox?: ConnectSandbox;
  /** Told of every profile of a policy before it is in force. @throws `ERR_SANDBOX_PROFILE` */
  readonly checkProfile?: CheckProfile;
  /** What of it a command names is passed on to it. Empty when left out. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface GuardEvent {
  readonly severity: 'info' | 'warning' | 'error';
  readonly message: string;
  readonly fields: JsonObject;
  readonly error?: unknown;
}

export interface GuardCore extends AsyncDisposable {
  readonly audit: AuditLog;
  readonly engine: ChangeEngine;
  readonly policy: PolicyHolder;
  readonly baseline: BaselineHolder;
  readonly index: EvidenceIndex;
  readonly sealer: EvidenceSealer;
  readonly denials: DenialDesk;
  readonly mutations: MutationDesk;
  readonly commands: CommandDesk;
  readonly orders: OrderDesk;
  readonly unfreezing: UnfreezeDesk;
  /** Changes of an earlier run that ended while this core was opened. */
  readonly recovered: readonly ChangeRecord[];
  readonly sandbox: SandboxProbe;
  readonly database: GuardDatabase;
  readonly clock: Clock;
  /** Tries again what failed for the disk's sake: evidence of ended changes, and a journal that has to be read again. */
  mend(): Promise<void>;
}

/**
 * @param signal aborted: running changes stop and revert
 * @throws `ERR_GUARD_STATE`, `ERR_GUARD_ALREADY_RUNNING`, `ERR_KEY_INVALID`, `ERR_AUDIT_DAMAGED`, `ERR_AUDIT_UNWRITABLE`
 */
export async function openGuardCore(
  config: GuardConfig,
  deps: GuardStartDeps,
  signal: AbortSignal,
): Promise<GuardCore> {
  const { paths, trust } = config;
  const { host, clock = systemClock, bootId = readBootId(), onEvent = () => undefined } = deps;
  let isHalted = false;
  const onFault = (error: unknown): void => {
    if (hasCode(error, 'ERR_CHANGE_JOURNAL')) isHalted = true;
    onEvent({ severity: 'error', message: 'something could not be recorded', fields: {}, error });
  };

  await using stack = new AsyncDisposableStack();
  prepareStateDirectory(paths.guardState);
  stack.use(lockStateDirectory(paths.guardState));
  const signer = loadSigner(paths.hostKey);
  const audit = stack.adopt(
    await openAuditLog({
      directory: paths.auditLog,
      signer,
      clock,
      bootId,
      ...(deps.logFiles === undefined ? {} : { files: deps.logFiles }),
    }),
    async (log) => log.close(),
  );
  const hasHistory = audit.head().seq > 0;
  const opened = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs(), bootId, hasHistory };
  const database = stack.use(openGuardDatabase(paths.guardState, opened));
  const index = stack.use(new EvidenceIndex(paths.guardState));
  prepareEvidenceDirectory(paths.evidence, config.socketGid);
  const evidence = openEvidenceStore(paths.evidence, { gid: config.socketGid });
  const { simulated } = host.platform;
  const sealer = new EvidenceSealer({
    audit,
    store: evidence,
    index,
    signer,
    trust,
    simulated,
    redactionRules: config.redactionRules,
  });
  await sealer.recover();

  const policy = new PolicyHolder(
    paths.policy,
    deps.checkProfile ?? (() => undefined),
    ({ outcome, hash, findings }) => {
      const errors = findings.filter(({ severity }) => severity === 'ERROR').length;
      const fields = { hash, errors, warnings: findings.length - errors };
      onEvent({ severity: outcome === 'loaded' ? 'info' : 'error', message: `policy ${outcome}`, fields });
      const entry = {
        actor: GUARD_ACTOR,
        action: `policy.${outcome}`,
        subject: 'policy',
        outcome: outcome === 'loaded' ? 'ok' : 'failed',
      };
      audit.append({ ...entry, detail: fields }).catch(onFault);
    },
  );
  const baseline = new BaselineHolder(paths.baseline, deps.loadBaseline, deps.revertOperations);
  await baseline.current();

  const denials = new DenialDesk({ audit, sealer, clock, randomBytes, onFault }, config.denialSummaryMs);
  const journal = stack.use(
    openSqliteJournal(join(paths.guardState, 'changes.sqlite'), loadKeyEncryptionKey(dirname(paths.hostKey))),
  );
  // Assigned before `recover`, which is what starts the engine.
  let onSealed = nothingToComplete;
  const recovered: ChangeRecord[] = [];
  const engine = stack.use(
    createChangeEngine({
      host,
      operations: baseline.operations,
      journal,
      clock,
      bootId,
      randomBytes,
      onFault,
      // Exactly once by the bundle id that the journal drew with the intent (G-31).
      seal: async (record) => {
        await sealer.seal(draftOfChange(record), sha256Hex(record.bundleId));
        onSealed(record);
      },
    }),
  );
  stack.use(denials);
  const nonces = new NonceMemory(database, clock, bootId);
  const mutations = new MutationDesk({ audit, engine, baseline, denials, nonces, clock, randomBytes, signal, onFault });
  const connectSandbox = (simulated ? null : deps.connectSandbox) ?? null;
  const commands = stack.use(
    new CommandDesk({
      journal: new CommandJournal(database),
      mutations,
      engine,
      baseline,
      audit,
      sealer,
      files: host.files,
      clock,
      connectSandbox,
      environment: deps.environment ?? {},
      onSealed: (ended) => orders.completeCommand(ended),
      onFault,
      signal,
    }),
  );
  const store = new OrderStore(database);
  const orders = new OrderDesk(
    { store, engine, mutations, commands, denials, baseline, trust, clock },
    config.orderPatienceMs,
  );
  const unfreezing = new UnfreezeDesk({ engine, audit, sealer, denials, mutations, clock });
  onSealed = (record) => {
    recovered.push(record);
    orders.complete(record);
  };
  await engine.recover(signal);
  onSealed = (record) => orders.complete(record);
  await commands.recover();
  await orders.recover(policy.current());

  const owned = stack.move();
  return {
    audit,
    engine,
    policy,
    baseline,
    index,
    sealer,
    denials,
    mutations,
    commands,
    orders,
    unfreezing,
    recovered,
    sandbox: new SandboxProbe(connectSandbox, () => clock.monotonicMs()),
    database,
    clock,
    mend: async () => {
      if (isHalted) await engine.recover(signal);
      else await engine.sealPending();
      isHalted = false;
      await commands.sealPending();
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

/** Until there are orders. */
function nothingToComplete(_record: ChangeRecord): void {}
