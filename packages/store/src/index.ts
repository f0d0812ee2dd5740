export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  endOrphanedPostgres,
  startEmbeddedPostgres,
} from './embedded-postgres.ts';
export { listMigrations, migrate, type Migration } from './migrate.ts';
export { openStore, type Row, type Store, type StoreOptions, type Transaction } from './store.ts';
