import { randomBytes, randomInt } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { launch, runToItsEnd } from './children.mjs';
import { freePort } from './free-port.mjs';
import { postgresFolder } from './requirements.mjs';
import { scratchFolder } from './scratch.mjs';
import { keepSecret } from './secrecy.mjs';

const ATTEMPTS = 5;
const USER = 'app';

/** A real PostgreSQL that requires a password from every user. */
export class Postgres {
  #password = randomBytes(12).toString('base64');
  #folder;
  #port;
  #server;

  /** `timeZone`: the server's, which a database may have another than. */
  static async start({ timeZone }) {
    const postgres = new Postgres();
    await postgres.#install();
    const settings = [`timezone=${timeZone}`, 'listen_addresses=127.0.0.1', 'fsync=off', 'shared_buffers=16MB'];
    settings.push(`unix_socket_directories=${postgres.#folder}`);
    for (let attempt = 1; ; attempt += 1) {
      postgres.#port = await freePort();
      try {
        await postgres.#launch(settings.flatMap((setting) => ['-c', setting]));
        return postgres;
      } catch (error) {
        // Another process may have bound the port meanwhile.
        if (attempt === ATTEMPTS || !/Address already in use/.test(error.message)) throw error;
      }
    }
  }

  /** A new database; answers with its URL. */
  async createDatabase({ timeZone, schema } = {}) {
    const name = `app_${randomInt(2 ** 31)}`;
    await this.execute(this.#url('postgres'), `CREATE DATABASE ${name}`);
    const url = this.#url(name);
    if (timeZone) await this.execute(url, `ALTER DATABASE ${name} SET TimeZone = '${timeZone}'`);
    if (schema) await this.execute(url, `CREATE SCHEMA ${pg.escapeIdentifier(schema)}`);
    return url;
  }

  /** One statement, from outside the app; answers with the rows. */
  async execute(url, sql, params) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(sql, params)).rows;
    } finally {
      await client.end();
    }
  }

  close() {
    return this.#server.stop();
  }

  async #install() {
    keepSecret(this.#password);
    this.#folder = await scratchFolder();
    await chmod(this.#folder, 0o755);
    const password = join(this.#folder, 'password');
    await writeFile(password, this.#password);
    if (process.getuid() === 0) await succeeds('chown', ['-R', 'postgres:', this.#folder]);
    const options = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
    options.push(`--username=${USER}`, `--pwfile=${password}`, `--pgdata=${this.#data}`);
    await succeeds(...asNobodySpecial('initdb', options));
  }

  // It writes to stderr when it is ready.
  async #launch(settings) {
    const [command, args] = asNobodySpecial('postgres', ['-D', this.#data, '-p', `${this.#port}`, ...settings]);
    const line = ['-c', 'exec "$0" "$@" 2>&1', command, ...args];
    this.#server = await launch('postgres', 'sh', line, { ready: /ready to accept connections/, cwd: this.#folder });
  }

  get #data() {
    return join(this.#folder, 'data');
  }

  #url(database) {
    return `postgres://${USER}:${encodeURIComponent(this.#password)}@127.0.0.1:${this.#port}/${database}`;
  }
}

/** It refuses to run as root: then it runs as the user that Debian creates for it. */
function asNobodySpecial(program, args) {
  const path = join(postgresFolder, program);
  if (process.getuid() !== 0) return [path, args];
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--', path, ...args]];
}

async function succeeds(command, args) {
  const { code, stderr } = await runToItsEnd(command, args);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
}
