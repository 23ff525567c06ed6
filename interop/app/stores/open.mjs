import { openRedisStore } from './redis.mjs';
import { openSqliteStore } from './sqlite.mjs';

export function openStore(storeUrl) {
  if (storeUrl.startsWith('redis:')) return openRedisStore(storeUrl);
  if (storeUrl.startsWith('sqlite:')) return openSqliteStore(storeUrl);
  throw new Error(`--store wants redis://… or sqlite:PATH, not ${storeUrl}`);
}
