/** What the stores of express-session hold: sessions of Passport 0.2 to 0.7, and near misses. */

import { UNHOLDABLE, bytes, nested, number, object, string, value } from './json.mjs';
import { passport } from './passport.mjs';
import { anyText } from './text.mjs';

const COOKIES = [
  '{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}',
  '{"originalMaxAge":3600000,"expires":"2026-11-23T03:38:50.321Z","httpOnly":true,"path":"/"}',
  '{"originalMaxAge":86400000,"expires":"2001-01-01T00:00:00.000Z","secure":true,"domain":"a.example","sameSite":"lax"}',
  '{"originalMaxAge":2000,"partitioned":true,"priority":"high","secure":false,"httpOnly":false,"path":"/app"}',
  '{}',
];

const maxAge = (random) =>
  random.weighted([
    [4, number],
    [1, 'null'],
    [1, '""'],
    [1, 'false'],
    [1, 'true'],
    [1, '"1h"'],
    [1, '"2026-11-23T03:38:50.321Z"'],
    [1, '[]'],
    [1, '{}'],
  ]);

const cookie = (random) =>
  random.weighted([
    [80, () => random.pick(COOKIES)],
    [8, () => object(random, [['path', '"/"'], ['maxAge', maxAge(random)], ['httpOnly', 'true']])],
    [1, () => `{"__proto__":${value(random, 1)},"maxAge":${maxAge(random)}}`],
    [1, () => `{"maxAge":${maxAge(random)},"__proto__":${value(random, 1)},"maxAge":${maxAge(random)}}`],
    [1, () => `{"expires":${value(random)},"originalMaxAge":${value(random)},"data":${value(random)},"_expires":1}`],
    [2, () => value(random)],
    [1, () => random.pick(['null', '0', '-0', 'false', '""', '[]', 'true', '1', '"x"', '["x"]', '1e-400'])],
    [1, () => `{"domain":${random.pick(UNHOLDABLE)}}`],
  ]);

/** Names that mean something on a `Session`, or on any object. */
const OBJECTS_OWN = ['__proto__', 'constructor', 'toJSON', 'save', 'reload', 'touch', 'req', 'id', 'Passport'];

/** `[name, JSON text]` of something else in a session. */
const other = (random) =>
  random.weighted([
    [3, () => ['views', number(random)]],
    [2, () => ['returnTo', string(random, `/${anyText(random)}`)]],
    [2, () => ['csrfSecret', '"pLh5Q9-gN2Jrlm6YB1n0c3Yk"']],
    [2, () => ['messages', value(random)]],
    [2, () => ['cart', value(random)]],
    [1, () => [anyText(random, 8), value(random)]],
    [1, () => ['oauth2:example.com', '{"state":{"handle":"x"}}']],
    [1, () => ['lastSeen', random.pick(UNHOLDABLE)]],
    [1, () => [random.pick(OBJECTS_OWN), value(random)]],
    [1, () => ['__proto__', '{"passport":{"user":"from the prototype"},"cookie":{}}']],
  ]);

function session(random) {
  const members = [['cookie', cookie(random)]];
  if (random.chance(0.85)) members.push(['passport', passport(random)]);
  for (let count = random.weighted([[6, 0], [3, 1], [1, 4]]); count > 0; count--) members.push(other(random));
  if (random.chance(0.02)) members.shift();
  if (random.chance(0.04)) members.push(['passport', passport(random)]);
  if (random.chance(0.01)) members.push(['cookie', cookie(random)]);
  if (random.chance(0.006)) members.push(['deep', nested(random, random.pick([62, 63, 64, 65, 100, 2000]))]);
  if (random.chance(0.002)) members.push(['large', `"${'x'.repeat(1024 * 1024 - random.below(300))}"`]);
  return object(random, random.chance(0.2) ? random.shuffle(members) : members);
}

const NO_SESSIONS = [
  ...['null', 'false', '0', '-0', '0.0', '1e-400', '""', ' null\n'],
  ...['true', '1', '1e999', '"text"', '"\\ud800"', '[]', '[{"cookie":{}}]', '{}'],
  ...['undefined', ' '],
];

/** The bytes under a session id, or null if there is nothing. */
export const storedSession = (random) =>
  random.weighted([
    [94, () => bytes(random, session(random))],
    [3, () => Buffer.from(random.pick(NO_SESSIONS))],
    [1, () => Buffer.from(value(random))],
    [2, null],
  ]);
