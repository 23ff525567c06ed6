import { EventEmitter } from 'node:events';
import Koa from 'koa';
import session from 'koa-generic-session';
import redisStore from 'koa-redis';
import { requireOf } from '../packages.mjs';
import { ids } from './ids.mjs';

const Keygrip = requireOf('koa')('keygrip');

const PREFIX = 'koa:sess:';

/** Koa 3 + koa-generic-session on koa-redis. The user is where koa-passport keeps it. */
export function createApp({ cookie, keys, hash }, record) {
  const server = new Koa();
  server.keys = hash === 'sha1' ? keys : new Keygrip(keys, hash);
  server.silent = true;
  const nextId = ids();
  const genSid = function () {
    this.state.hasNewSession = true;
    return nextId();
  };
  server.use(session({ key: cookie, store: redisStore({ client: new Client(record) }), genSid }));
  server.use((ctx) => {
    if (ctx.path === '/login') ctx.session.passport = { user: JSON.parse(ctx.query.user) };
    ctx.body = { isNew: ctx.state.hasNewSession ?? false, user: ctx.session.passport?.user };
  });
  return server.callback();
}

/** As much of a Redis client as koa-redis calls. */
class Client extends EventEmitter {
  constructor(record) {
    super();
    this.record = record;
  }

  async get(key) {
    if (!key.startsWith(PREFIX)) throw new Error('another prefix');
    return this.record.get(key.slice(PREFIX.length)) ?? null;
  }

  async setex(_key, _seconds, text) {
    this.record.set(text);
  }

  async del() {
    this.record.destroy();
  }
}
