import { promisify } from 'node:util';
import sqlite3 from 'sqlite3';

/** A connection of our own to the app's session database. */
export async function openDatabase(path) {
  const database = await new Promise((resolve, reject) => {
    const opened = new sqlite3.Database(path, (error) => (error ? reject(error) : resolve(opened)));
  });
  return {
    run: promisify(database.run.bind(database)),
    close: promisify(database.close.bind(database)),
  };
}

/** One statement, from outside the app. */
export async function executeSql(path, sql, params = []) {
  const database = await openDatabase(path);
  try {
    await database.run(sql, params);
  } finally {
    await database.close();
  }
}
