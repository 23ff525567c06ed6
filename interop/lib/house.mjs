import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { randomSid, signedValue } from './cookies.mjs';
import { Redis } from './redis.mjs';
import { scratchFolder } from './scratch.mjs';
import { startApp, startAppOfKind } from './servers.mjs';

/**
 * A store with an Express + Passport app on it. Socket servers that are started with
 * `open(startDemo)` know its store, secrets and cookie name, and nothing else.
 */
export class House {
  #closers = [];

  static async onRedis({ prefix, durable, ...settings } = {}) {
    const house = new House();
    await house.#installRedis({ durable });
    return house.#furnish(house.redis.url + (prefix ? `?prefix=${prefix}` : ''), settings);
  }

  static async onSqlite(settings = {}) {
    const house = new House();
    house.databasePath = join(await scratchFolder(), 'sessions.db');
    return house.#furnish(`sqlite:${house.databasePath}`, settings);
  }

  /** On a store that the caller owns and closes. */
  static onStore(storeUrl, settings = {}) {
    return new House().#furnish(storeUrl, settings);
  }

  /** The same with an app of another kind of sessions, which are in Redis or in the cookie alone. */
  static async ofKind({ kind, inRedis, ...settings }) {
    const house = new House();
    house.kind = kind;
    if (inRedis) await house.#installRedis();
    return house.#furnish(house.redis?.url, settings);
  }

  async #installRedis(options) {
    this.redis = await Redis.start(options);
    this.#closers.push(() => this.redis.close());
  }

  async #furnish(store, { secrets = [randomBytes(24).toString('hex')], cookieName = 'connect.sid', args }) {
    Object.assign(this, { store, secrets, secret: secrets[0], cookieName });
    this.app = await this.open(this.kind ? startAppOfKind : startApp, { args });
    return this;
  }

  /** Starts a server of `lib/servers.mjs` in this house. */
  async open(start, options = {}) {
    const { kind, store, secrets, cookieName } = this;
    const server = await start({ kind, store, secrets, cookieName, ...options });
    this.#closers.push(() => server.stop());
    return server;
  }

  /** A visitor who has logged in at the app. */
  login(name, password) {
    return this.app.visitor().login(name, password);
  }

  /** A Cookie header with the session cookie's name. */
  cookie(value) {
    return `${this.cookieName}=${value}`;
  }

  /** Puts a record into Redis as it is, without a TTL; answers with the Cookie header that leads to it. */
  async plant(record) {
    const sid = randomSid();
    await this.redis.command('SET', `sess:${sid}`, record);
    return this.cookie(signedValue(sid, this.secret));
  }

  /** Ends the servers, then the store; each must end well, and each is ended even if another fails. */
  async close() {
    const errors = [];
    for (const close of this.#closers.splice(0).reverse()) await close().catch((error) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }
}
