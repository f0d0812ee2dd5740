/** Error codes of the database. */
import type { ErrorTable } from './table.ts';

export const STORE_ERRORS = {
  ERR_STORE_ALREADY_RUNNING: {
    remedy: 'give-up',
    title: 'The database directory is in use',
    text: 'Another live process runs an embedded PostgreSQL on the same directory. Two on one directory would destroy it. Stop the other one, or give this one another state directory.',
  },
  ERR_STORE_DIRECTORY: {
    remedy: 'fix-input',
    title: 'The database directory cannot be used',
    text: 'PostgreSQL never runs as root, so its directory must be reachable by the unprivileged user it runs as: every parent directory needs search permission for others. The path of its socket must also fit into 107 bytes. Choose another state directory, such as /var/lib/holdfast/server.',
  },
  ERR_STORE_USER: {
    remedy: 'fix-input',
    title: 'There is no unprivileged user to run PostgreSQL as',
    text: 'Holdfast was started as root and found no user to run PostgreSQL as. Name an existing unprivileged one; root itself is refused.',
  },
  ERR_STORE_START: {
    remedy: 'retry',
    title: 'PostgreSQL did not start',
    text: 'The embedded PostgreSQL ended while it was being prepared or did not accept a connection in time. Its own words are in postgres.log beside its data directory.',
  },
  ERR_STORE_UNAVAILABLE: {
    remedy: 'retry',
    title: 'The database cannot be reached',
    text: 'PostgreSQL does not answer or ended the connection. Nothing that was not acknowledged was kept; the same request may be sent again.',
  },
  ERR_STORE_MIGRATION: {
    remedy: 'give-up',
    title: 'The database schema cannot be brought up to date',
    text: 'A migration failed, was changed after it had been applied, is from a newer version, or leaves a table with org_id without forced row-level security. The whole migration was rolled back; the database is as before.',
  },
  ERR_STORE_ROLE: {
    remedy: 'fix-input',
    title: 'The database role could bypass row-level security',
    text: 'The role that serves requests is a superuser or has BYPASSRLS, so that one org could see the rows of another. Give DATABASE_URL a role that may create roles, or create holdfast_app beforehand with NOSUPERUSER NOBYPASSRLS.',
  },
} as const satisfies ErrorTable;
