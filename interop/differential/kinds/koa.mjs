/** koa-session, in the cookie or on koa-redis, and koa-passport against `KoaSource`. */

import { at } from '../clock.mjs';
import { number, value } from '../generate/json.mjs';
import { hash, signedCookies, smallerCarried } from '../generate/keygrip.mjs';
import { base64, plainRecord, storedRecord } from '../generate/plain-session.mjs';
import { secrets, sessionId } from '../generate/signed.mjs';
import { combinationsOf, keysOf, seen, storeOf } from '../koa.mjs';
import { parsing } from '../parsing.mjs';

export { rules } from './koa-rules.mjs';

export const name = 'koa';

export function generate(random) {
  const stored = random.chance(0.5);
  const now = random.between(978_307_200, 4_102_444_800) * 1000 + random.below(1000);
  const cookie = {
    name: random.weighted([
      [120, 'koa.sess'],
      [20, 'koa:sess'],
      [20, 'a!#$&\'*+-.^_`|~z'],
      [1, '__proto__'],
      [1, 'toString'],
    ]),
    secrets: secrets(random),
    hash: hash(random),
  };
  const members = (r) => special(r, now);
  const value = stored ? key(random) : base64(random, plainRecord(random, members));
  const payload = stored ? storedRecord(random, members) : null;
  return { kind: 'koa', stored, now, ...cookie, headers: signedCookies(random, { ...cookie, value }), payload };
}

/** Its own ids are UUIDs, and an app may have a prefix for them. */
const key = (random) => random.pick(['', '', '', 'app-', 'app:']) + sessionId(random);

export function* smaller(testCase) {
  if (!testCase.stored) yield* smallerCarried(testCase);
}

/** Names that mean something on a session of one version or the other. */
const OWN = [
  ...['isNew', 'maxAge', 'length', 'populated', 'externalKey', 'toJSON', 'inspect', 'save', 'commit'],
  ...['_requireSave', '_ctx', '_sessCtx', 'constructor'],
];

/** What koa-session keeps beside an app's own members. */
function special(random, now) {
  const members = [];
  if (random.chance(0.6)) members.push(['_expire', expire(random, now)]);
  if (random.chance(0.5)) members.push(['_maxAge', random.weighted([[9, '86400000'], [1, () => value(random, 1)]])]);
  if (random.chance(0.1)) members.push(['_session', random.weighted([[9, 'true'], [1, () => value(random, 1)]])]);
  if (random.chance(0.02)) members.push(['_expire', expire(random, now)]);
  if (random.chance(0.03)) members.push([random.pick(OWN), value(random, 1)]);
  return members;
}

const expire = (random, now) =>
  random.weighted([
    [30, () => String(now + random.between(1, 86_400_000))],
    [6, () => String(now - random.between(1, 86_400_000))],
    [4, () => String(now + random.pick([-1, 0, 1]))],
    [2, () => String(now + random.pick([-1, 0, 1]) / random.between(2, 9))],
    [1, () => JSON.stringify(String(now + random.pick([-1000, 1000])))],
    [1, () => number(random)],
    [1, () => value(random, 1)],
    [1, () => random.pick(['0', '-0', '-1', '0.5', '-1e-400', '1e300', '-1e300', '1e999', '-1e999', '"\\ud800"'])],
    [1, () => random.pick(['null', 'true', 'false', '""', '"0"', '[]', '[5]', '{}', '"2001-01-01T00:00:00.000Z"'])],
  ]);

/** The first gets every case, the others share them. */
export const combinations = () => combinationsOf(['koa-session', 'koa-session-5'], endsIn);

/** What a request ends with in this koa-session, in such a Koa. */
function endsIn(session, Koa, Keygrip) {
  return async function end(testCase) {
    const { name, stored, now, headers, payload } = testCase;
    const { redis, store } = storeOf(payload);
    const app = new Koa();
    app.keys = keysOf(testCase, Keygrip);
    const middleware = session(stored ? { key: name, store } : { key: name }, app);
    const { result, error, json } = await parsing(() => at(now, () => seen(app, middleware, headers, madeOfRecord)));
    const end = { asked: redis.asked, read: stored ? redis.text : json };
    if (error) return { ...end, session: 'error', why: String(error) };
    const { isMade, ...user } = result;
    if (!isMade) return { ...end, session: 'new' };
    return { ...end, session: 'found', json: end.read, ...user };
  };
}

/** A record may say `isNew` itself, so ask whether koa-session keeps a hash of it, to see later what has changed. */
function madeOfRecord(ctx) {
  if (!ctx.session) throw new Error('there is always a session');
  const inner = Object.getOwnPropertySymbols(ctx).map((symbol) => ctx[symbol]);
  const context = inner.find((value) => value.constructor.name === 'ContextSession');
  return { isMade: context.prevHash !== undefined };
}
