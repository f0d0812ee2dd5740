/** The contracts of the ports, as suites for `node:test`. Every adapter runs those of its ports. */
export { type AccountsSubject, describeAccounts } from './accounts.ts';
export { type CertificatesSubject, describeCertificates } from './certificates.ts';
export { describeCommands, type IsRunning } from './commands.ts';
export { describeFiles, type FilesSubject } from './files.ts';
export { describeJournal, type JournalSubject } from './journal.ts';
export { describePacketFilter } from './packet-filter.ts';
export type { Scope, SuiteOptions } from './scope.ts';
export { describeServices, type ServicesSubject } from './services.ts';
export { describeSockets, type SocketsSubject } from './sockets.ts';
export { describeTimeSources, type TimeSourcesSubject } from './time-sources.ts';
