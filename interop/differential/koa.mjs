/** A real Koa app with koa-passport and koa-redis, which is given a request without a server. */

import { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { load, versions } from './packages.mjs';
import { request } from './request.mjs';

const require = createRequire(import.meta.url);
const compose = require('koa-compose');
const redisStore = require('koa-redis');
const { KoaPassport } = require('koa-passport');

/** The user that koa-passport found last: `{user}`, or nothing. Cases come one after the other. */
let found = {};
const passport = new KoaPassport();
passport.deserializeUser((user, done) => {
  found = { user };
  done(null, { user });
});
// Since Passport 0.6 there is nothing in `initialize()` that finding the user needs.
const usePassport = passport.session();

const COOKIES = ['cookies', 'cookies-0.7'];
const KEYGRIPS = ['keygrip', 'keygrip-1.0'];

/**
 * What `ends(session, Koa, Keygrip)` makes of each of these session packages, in Koa with each npm cookies
 * and keygrip. The first as npm installs it.
 */
export const combinationsOf = (sessions, ends) => [
  combination(sessions[0], {}, 'keygrip', ends),
  ...sessions.flatMap((session) =>
    COOKIES.flatMap((cookies) =>
      KEYGRIPS.map((keygrip) => combination(session, { cookies: [cookies, { keygrip }] }, keygrip, ends)),
    ),
  ),
];

function combination(session, replacements, keygrip, ends) {
  const loaded = load(session);
  return {
    versions: {
      ...versions(session),
      ...versions('koa', replacements, ['cookies']),
      keygrip: require(`${keygrip}/package.json`).version,
      ...versions('koa-redis'),
      ...versions('koa-passport', {}, ['passport']),
    },
    end: ends(loaded.default ?? loaded, load('koa', replacements), require(keygrip)),
  };
}

/** What stands for Redis: it holds one text under every key, and writes down what it is asked for. */
export const redis = {
  asked: null,
  text: null,
  hold(payload) {
    redis.asked = null;
    redis.text = payload?.toString() ?? null;
  },
  async get(key) {
    if (redis.asked !== null) throw new Error('the store was asked twice');
    redis.asked = key;
    return redis.text;
  },
  // koa-redis listens, and session middleware writes back after a request.
  on() {},
  async set() {},
  async setex() {},
  async del() {},
};

/** koa-redis on it. */
export const store = redisStore({ client: redis });
// Every koa-generic-session listens to it, and there are many here.
store.setMaxListeners(0);

/** What `make` makes of an argument, made once: an app serves more than one request. */
export function once(make) {
  const made = new Map();
  return (argument) => {
    if (!made.has(argument)) made.set(argument, make(argument));
    return made.get(argument);
  };
}

/** `app.keys` for keygrip's default hash, or for another. */
export const keysOf = ({ secrets, hash }, Keygrip) =>
  hash === 'sha1' ? secrets : new Keygrip(secrets, hash);

/**
 * What `look` sees in the context behind this session middleware and koa-passport, and the user found.
 * What is thrown on the way there, is thrown; what is thrown on the way back comes too late.
 */
export async function seen(app, middleware, headers, look) {
  const req = request(headers);
  const ctx = app.createContext(req, new ServerResponse(req));
  let sight;
  found = {};
  try {
    await compose([middleware, usePassport, (ctx) => void (sight = { ...look(ctx), ...found })])(ctx);
  } catch (error) {
    if (sight === undefined) throw error;
  }
  if (sight === undefined) throw new Error('the middleware did not go on');
  return sight;
}
