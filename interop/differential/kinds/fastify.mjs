/** @fastify/session and @fastify/passport on a store that reads as connect-redis does, against `FastifySource`. */

import { at } from '../clock.mjs';
import { Host, userOf } from '../fastify.mjs';
import { cookieHeaders } from '../generate/cookie-headers.mjs';
import { aMoment, away, record } from '../generate/fastify.mjs';
import { UNHOLDABLE, object, value } from '../generate/json.mjs';
import { secrets, sessionId, signed } from '../generate/signed.mjs';
import { load, versions } from '../packages.mjs';

export { rules } from './fastify-rules.mjs';

export const name = 'fastify';

export function generate(random) {
  const cookieName = random.weighted([
    [180, 'sessionId'],
    [20, 'connect.sid'],
    [6, 'a!#$&\'*+-.^_`|~z'],
    [8, '__proto__'],
    [8, 'toString'],
  ]);
  const appSecrets = secrets(random);
  const prefix = random.chance(0.1) ? 's:' : '';
  const written = random.chance(0.97) ? prefix : random.pick(['', 's:', 'S:', 's', 's::', ' ']);
  const now = aMoment(random);
  return {
    kind: 'fastify',
    name: cookieName,
    secrets: appSecrets,
    prefix,
    headers: cookieHeaders(random, cookieName, written + signed(random, sessionId(random), appSecrets)),
    payload: random.chance(0.02) ? null : record(random, (r) => special(r, now)),
    now,
  };
}

function special(random, now) {
  const members = random.chance(0.95) ? [['cookie', cookie(random, now)]] : [];
  if (random.chance(0.002)) members.push(['large', `"${'x'.repeat(1024 * 1024 - random.below(300))}"`]);
  return members;
}

const iso = (ms) => `"${new Date(ms).toISOString()}"`;

const ODD_DATES = [
  ...['"never"', '"2026-11-23"', '"2001-01-01"', '"2001-02-30T00:00:00.000Z"', '"2099-01-01T00:00:60.000Z"'],
  ...['"2001-01-01T00:00:00.000"', '"Mon, 01 Jan 2001 00:00:00 GMT"', '"1"', '" "', '"2001-01-01t00:00:00.000z"'],
  ...['"-000001-01-01T00:00:00.000Z"', '"-000000-01-01T00:00:00.000Z"', '"+002001-01-01T00:00:00.000Z"'],
  ...['"+275760-09-13T00:00:00.000Z"', '"+999999-01-01T00:00:00.000Z"', '"0001-01-01T00:00:00.000Z"'],
  ...['"1969-12-31T23:59:59.999Z"', '"2001-01-01T24:00:00.000Z"', '"+12001-01-01T00:00:00.000Z"'],
  ...['-5', '0.1', '5.9', '8.64e15', '8640000000000001', '-8.64e15', '-1e16', '1e300', 'true', '[]', '[5]', '{}'],
];

const expires = (random, now) =>
  random.weighted([
    [30, () => iso(now + away(random))],
    [10, 'null'],
    [2, () => String(now + away(random))],
    [1, () => String(now + random.between(-2, 2) / 2)],
    [3, () => random.pick(ODD_DATES)],
    [1, () => value(random, 1)],
    [1, () => random.pick(UNHOLDABLE)],
  ]);

const ODD_AGES = [
  ...['0', '-0', '1', '-1', '0.5', '-0.5', '1.5', '-86400000', '1e300', '-1e300', '-9e15', '-8e15'],
  ...['true', '"1h"', '""', '"5"', '[]', '{}', '{"toString":1}'],
];

const age = (random) =>
  random.weighted([
    [10, () => String(random.between(1, 30) * 86_400_000)],
    [10, 'null'],
    [3, () => random.pick(ODD_AGES)],
  ]);

/** As `toJSON` in lib/cookie.js writes it, and near misses. */
function cookie(random, now) {
  const members = [
    ['expires', expires(random, now)],
    ['originalMaxAge', age(random)],
    ...[['sameSite', 'null'], ['secure', 'false'], ['path', '"/"'], ['httpOnly', 'true'], ['domain', 'null']],
  ];
  if (random.chance(0.2)) members.splice(random.below(2), 1);
  if (random.chance(0.1)) members.push(['originalExpires', expires(random, now)]);
  if (random.chance(0.05)) members.push(['maxAge', age(random)]);
  if (random.chance(0.03)) members.push(['expires', expires(random, now)]);
  if (random.chance(0.01)) members.push(['__proto__', `{"expires":${expires(random, now)}}`]);
  if (random.chance(0.01)) members.push(['domain', random.pick(UNHOLDABLE)]);
  return random.chance(0.95) ? object(random, members) : value(random);
}

const combination = (session, replacements) => ({
  versions: {
    ...versions(session),
    ...versions('@fastify/cookie', replacements, ['cookie']),
    '@fastify/passport': versions('@fastify/passport')['@fastify/passport'],
  },
  end: endsIn(load(session), load('@fastify/cookie', replacements)),
});

/** The first gets every case, the others share them. */
export const combinations = () => [
  combination('@fastify/session', {}),
  combination('@fastify/session-10', {}),
  combination('@fastify/session', { cookie: 'cookie-0.7' }),
  combination('@fastify/session-10', { cookie: 'cookie-0.7' }),
];

class FakeStore {
  asked = null;
  text = null;

  constructor(payload) {
    this.payload = payload;
  }

  get(sid, callback) {
    if (this.asked !== null) throw new Error('the store was asked twice');
    this.asked = sid;
    // As connect-redis: `if (!data) return cb()`, and an error of `JSON.parse` is the store's error.
    this.text = this.payload === null ? null : this.payload.toString();
    if (!this.text) return callback();
    let session;
    try {
      session = JSON.parse(this.text);
    } catch (error) {
      return callback(error);
    }
    callback(null, session);
  }

  set(_sid, _session, callback) {
    callback();
  }

  destroy(_sid, callback) {
    callback();
  }
}

/** What a request ends with in this @fastify/session, with this @fastify/cookie. */
function endsIn(session, cookies) {
  return ({ now, ...testCase }) => at(now, () => end(testCase));

  function end({ name, secrets, prefix, headers, payload }) {
    const store = new FakeStore(payload);
    let isNew = false;
    const idGenerator = () => {
      isNew = true;
      return 'a new session';
    };
    const host = new Host();
    host.register(cookies, {});
    host.register(session, { cookieName: name, secret: secrets, cookiePrefix: prefix, store, idGenerator });
    const { req, error } = host.receive(headers);
    const { asked } = store;
    if (error) return { asked, session: 'error', why: String(error) };
    if (isNew) return { asked, session: 'new' };
    if (asked === null || req.session.sessionId !== asked) throw new Error('a session out of nowhere');
    try {
      return { asked, session: 'found', json: store.text, ...userOf(req) };
    } catch (error) {
      return { asked, session: 'error', why: String(error) };
    }
  }
}
