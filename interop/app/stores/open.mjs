import { openFileStore } from './file.mjs';
import { openMemcachedStore } from './memcached.mjs';
import { openMongoStore } from './mongodb.mjs';
import { openMysqlStore } from './mysql.mjs';
import { openPostgresStore } from './postgres.mjs';
import { openRedisStore } from './redis.mjs';
import { openSqliteStore } from './sqlite.mjs';

// By scheme: what opens the npm store from the URL that the Rust side takes too, as `{ store, close }`.
const STORES = {
  file: openFileStore,
  memcached: openMemcachedStore,
  mongodb: openMongoStore,
  mysql: openMysqlStore,
  postgres: openPostgresStore,
  postgresql: openPostgresStore,
  redis: openRedisStore,
  rediss: openRedisStore,
  sqlite: openSqliteStore,
};

export function openStore(storeUrl) {
  const open = STORES[storeUrl.split(':', 1)[0]];
  if (!open) throw new Error(`--store wants one of ${Object.keys(STORES).join(', ')}, not ${storeUrl}`);
  return open(storeUrl);
}
