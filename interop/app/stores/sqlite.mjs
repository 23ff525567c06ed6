import { basename, dirname } from 'node:path';
import Database from 'better-sqlite3';
import betterSqlite from 'better-sqlite3-session-store';
import { ConnectSessionKnexStore } from 'connect-session-knex';
import connectSqlite from 'connect-sqlite3';
import session from 'express-session';
import knexLibrary from 'knex';

const ConnectSqliteStore = connectSqlite(session);
const BetterSqliteStore = betterSqlite(session);

const LAYOUTS = {
  'connect-sqlite3': openConnectSqlite,
  'better-sqlite3': openBetterSqlite,
  knex: openKnex,
};

/** The npm store of `sqlite:PATH?layout=…`, the URL that the Rust side takes too, in its own default table. */
export function openSqliteStore(storeUrl) {
  const [path, parameters] = storeUrl.slice('sqlite:'.length).split('?');
  const layout = new URLSearchParams(parameters).get('layout') ?? 'connect-sqlite3';
  return LAYOUTS[layout](path);
}

async function openConnectSqlite(path) {
  const store = new ConnectSqliteStore({ dir: dirname(path), db: basename(path) });
  // The table exists from here on; another process may open the file.
  await new Promise((resolve) => store.client.once('connect', resolve));

  return { store, close: () => new Promise((resolve) => store.db.close(resolve)) };
}

async function openBetterSqlite(path) {
  const client = new Database(path);
  return { store: new BetterSqliteStore({ client }), close: () => client.close() };
}

async function openKnex(path) {
  const knex = knexLibrary({ client: 'sqlite3', connection: { filename: path }, useNullAsDefault: true });
  const store = new ConnectSessionKnexStore({ knex });
  await store.ready;
  return { store, close: () => knex.destroy() };
}
