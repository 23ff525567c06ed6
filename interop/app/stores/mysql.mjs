import connectSequelize from 'connect-session-sequelize';
import { ConnectSessionKnexStore } from 'connect-session-knex';
import mysqlSession from 'express-mysql-session';
import session from 'express-session';
import knexLibrary from 'knex';
import { Sequelize } from 'sequelize';

const MySqlStore = mysqlSession(session);
const SequelizeStore = connectSequelize(session.Store);

const LAYOUTS = {
  'express-mysql-session': openExpressMysqlSession,
  knex: openKnex,
  sequelize: openSequelize,
};

/** The npm store of `mysql://…?layout=…&table=…`, the URL that the Rust side takes too. */
export function openMysqlStore(storeUrl) {
  const url = new URL(storeUrl);
  const connection = {
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  };
  const layout = url.searchParams.get('layout') ?? 'express-mysql-session';
  return LAYOUTS[layout](connection, url.searchParams.get('table') ?? undefined);
}

async function openExpressMysqlSession(connection, tableName) {
  const store = new MySqlStore({ ...connection, ...(tableName && { schema: { tableName } }) });
  await store.onReady();
  return { store, close: () => store.close() };
}

async function openKnex(connection, tableName) {
  const knex = knexLibrary({ client: 'mysql2', connection });
  const store = new ConnectSessionKnexStore({ knex, ...(tableName && { tableName }) });
  await store.ready;
  return { store, close: () => knex.destroy() };
}

async function openSequelize({ database, user, password, ...where }, tableName) {
  const db = new Sequelize(database, user, password, { ...where, dialect: 'mysql', logging: false });
  const store = new SequelizeStore({ db, ...(tableName && { tableName }) });
  await store.sync();
  return { store, close: () => db.close() };
}
