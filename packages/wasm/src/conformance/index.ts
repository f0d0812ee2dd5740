/** The contracts of what is given to guests, as suites for `node:test`. Every implementation runs those of its ports. */
export { CONFORMANCE_TREE, describeGuestFileSystem, type GuestFilesScope } from './guest-file-system.ts';
