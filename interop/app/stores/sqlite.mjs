import { basename, dirname } from 'node:path';
import connectSqlite from 'connect-sqlite3';
import session from 'express-session';

const SqliteStore = connectSqlite(session);

/** connect-sqlite3 at `sqlite:PATH`, in its own default table. */
export async function openSqliteStore(storeUrl) {
  const path = storeUrl.slice('sqlite:'.length);
  const store = new SqliteStore({ dir: dirname(path), db: basename(path) });
  // The table exists from here on; another process may open the file.
  await new Promise((resolve) => store.client.once('connect', resolve));

  return { store, close: () => new Promise((resolve) => store.db.close(resolve)) };
}
