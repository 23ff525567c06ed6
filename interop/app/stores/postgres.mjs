import connectPgSimple from 'connect-pg-simple';
import { ConnectSessionKnexStore } from 'connect-session-knex';
import connectSequelize from 'connect-session-sequelize';
import session from 'express-session';
import knexLibrary from 'knex';
import { Sequelize } from 'sequelize';

const PgStore = connectPgSimple(session);
const SequelizeStore = connectSequelize(session.Store);

const LAYOUTS = {
  'pg-simple': openPgSimple,
  knex: openKnex,
  sequelize: openSequelize,
};

/** The npm store of `postgres://…?layout=…&schema=…&table=…`, the URL that the Rust side takes too. */
export function openPostgresStore(storeUrl) {
  const url = new URL(storeUrl);
  const [layout, schema, tableName] = ['layout', 'schema', 'table'].map((name) => {
    const value = url.searchParams.get(name) ?? undefined;
    url.searchParams.delete(name);
    return value;
  });
  return LAYOUTS[layout ?? 'pg-simple'](url.href, { schema, ...(tableName && { tableName }) });
}

async function openPgSimple(conString, { schema: schemaName, tableName }) {
  const store = new PgStore({ conString, schemaName, tableName, createTableIfMissing: true });
  // It makes the table when it is first asked.
  await new Promise((resolve, reject) => store.get('', (error) => (error ? reject(error) : resolve())));
  return { store, close: () => store.close() };
}

async function openKnex(connection, { schema, ...table }) {
  const knex = knexLibrary({ client: 'pg', connection, ...(schema && { searchPath: [schema] }) });
  const store = new ConnectSessionKnexStore({ knex, ...table });
  await store.ready;
  return { store, close: () => knex.destroy() };
}

async function openSequelize(url, { schema, ...table }) {
  const db = new Sequelize(url, { logging: false, ...(schema && { define: { schema } }) });
  const store = new SequelizeStore({ db, ...table });
  await store.sync();
  return { store, close: () => db.close() };
}
