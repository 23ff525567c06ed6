/** koa-generic-session on koa-redis, and koa-passport, against `KoaGenericSource`. */

import { value } from '../generate/json.mjs';
import { hash, signedCookies } from '../generate/keygrip.mjs';
import { storedRecord } from '../generate/plain-session.mjs';
import { secrets, sessionId } from '../generate/signed.mjs';
import { combinationsOf, keysOf, seen, storeOf } from '../koa.mjs';

export { rules } from './koa-generic-rules.mjs';

export const name = 'koa-generic';

export function generate(random) {
  const cookie = {
    name: random.weighted([
      [120, 'koa.sid'],
      [20, 'koa:sess'],
      [20, 'a!#$&\'*+-.^_`|~z'],
      [1, '__proto__'],
      [1, 'toString'],
    ]),
    secrets: secrets(random),
    hash: hash(random),
  };
  return {
    kind: 'koa-generic',
    ...cookie,
    headers: signedCookies(random, { ...cookie, value: sessionId(random) }),
    payload: storedRecord(random, special),
  };
}

const COOKIES = [
  '{"httpOnly":true,"path":"/","overwrite":true,"signed":true,"maxAge":86400000}',
  '{"httpOnly":true,"path":"/","overwrite":true,"signed":true,"maxAge":null,"expires":"2001-01-01T00:00:00.000Z"}',
  '{"maxage":5,"maxAge":1}',
  '{"expires":"never"}',
  '{"expires":1795401605979}',
  '{}',
];

/** What koa-generic-session keeps beside an app's own members, and names that mean something to JSON. */
function special(random) {
  const members = [];
  if (random.chance(0.95)) members.push(['cookie', random.chance(0.95) ? random.pick(COOKIES) : value(random)]);
  if (random.chance(0.02)) members.push([random.pick(['toJSON', 'constructor', 'isNew', '_expire']), value(random, 1)]);
  return members;
}

/** The first gets every case, the others share them. */
export const combinations = () => combinationsOf(['koa-generic-session'], endsIn);

/** `koa-generic-session`'s own, which ours leaves to the store. */
const PREFIX = 'koa:sess:';

/** What a request ends with in this koa-generic-session, in such a Koa. */
function endsIn(session, Koa, Keygrip) {
  return async function end(testCase) {
    const { name, headers, payload } = testCase;
    const { redis, store } = storeOf(payload);
    const app = new Koa();
    app.keys = keysOf(testCase, Keygrip);
    let isNew = false;
    const genSid = async () => {
      isNew = true;
      return 'a new session';
    };
    const asked = () => {
      if (redis.asked === null) return null;
      if (!redis.asked.startsWith(PREFIX)) throw new Error('another prefix');
      return redis.asked.slice(PREFIX.length);
    };
    let user;
    try {
      user = await seen(app, session({ key: name, store, genSid }), headers, () => {});
    } catch (error) {
      return { asked: asked(), session: 'error', why: String(error) };
    }
    if (isNew) return { asked: asked(), session: 'new' };
    return { asked: asked(), session: 'found', json: redis.text, ...user };
  };
}
