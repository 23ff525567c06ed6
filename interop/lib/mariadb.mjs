import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { launch, runToItsEnd } from './children.mjs';
import { freePort } from './free-port.mjs';
import { MARIADBD } from './requirements.mjs';
import { scratchFolder } from './scratch.mjs';

const ATTEMPTS = 5;

/** A real MariaDB, in a time zone that is not UTC, so that a mix-up of zones makes a test fail. */
export class Mariadb {
  #password = randomBytes(12).toString('base64');
  #port;
  #server;

  static async start() {
    const mariadb = new Mariadb();
    const folder = await scratchFolder();
    await chmod(folder, 0o755);
    const settings = [
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      '--innodb-flush-method=nosync',
      '--innodb-doublewrite=0',
      '--innodb-log-file-size=4M',
      '--innodb-buffer-pool-size=16M',
      // It refuses to be root.
      ...(process.getuid() === 0 ? ['--user=mysql'] : []),
    ];
    const install = [...settings, '--skip-test-db', '--skip-name-resolve'];
    const { code, stderr } = await runToItsEnd('mariadb-install-db', install, { ms: 60_000 });
    if (code !== 0) throw new Error(`mariadb-install-db: ${stderr}`);

    const users = join(folder, 'users.sql');
    const user = `app@'127.0.0.1'`;
    // One statement a line, or it is passed over.
    const sql = [
      'CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4;',
      `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY '${mariadb.#password}';`,
      `GRANT ALL ON app.* TO ${user};`,
    ];
    await writeFile(users, sql.join('\n'), { mode: 0o644 });
    const args = [...settings, `--init-file=${users}`, '--default-time-zone=-05:00', '--socket=mariadb.sock'];
    for (let attempt = 1; ; attempt += 1) {
      mariadb.#port = await freePort();
      try {
        await mariadb.#launch([...args, '--bind-address=127.0.0.1', '--skip-name-resolve']);
        return mariadb;
      } catch (error) {
        // Another process may have bound the port meanwhile.
        if (attempt === ATTEMPTS || !/Address already in use/.test(error.message)) throw error;
      }
    }
  }

  get url() {
    return `mysql://app:${encodeURIComponent(this.#password)}@127.0.0.1:${this.#port}/app`;
  }

  /** One statement, from outside the app. */
  async execute(sql, params) {
    const connection = await createConnection(this.url);
    try {
      return (await connection.query(sql, params))[0];
    } finally {
      await connection.end();
    }
  }

  close() {
    return this.#server.stop();
  }

  // It writes to stderr when it is ready.
  async #launch(args) {
    const line = ['-c', 'exec "$0" "$@" 2>&1', MARIADBD, ...args, `--port=${this.#port}`];
    this.#server = await launch('mariadbd', 'sh', line, { ready: /ready for connections/ });
  }
}
