/** What the sessions of Fastify apps hold: @fastify/passport keeps the user's key itself in `passport`. */

import { UNHOLDABLE, bytes, nested, number, object, string, value } from './json.mjs';
import { user } from './passport.mjs';
import { anyText } from './text.mjs';

/** Some time in 2026, in milliseconds. */
export const aMoment = (random) => 1_767_225_600_000 + random.below(365 * 86_400) * 1000 + random.below(1000);

/** How much before or after now: in milliseconds, around the very moment most of all. */
export const away = (random) =>
  random.weighted([
    [4, () => random.between(1, 30 * 86_400_000)],
    [1, () => -random.between(1, 30 * 86_400_000)],
    [1, () => random.between(-1, 1)],
    [1, () => random.between(-1500, 1500)],
  ]);

/** Names that mean something on a `Session` of either package, or on any object. */
const OWN = [
  ...['get', 'set', 'touch', 'options', 'regenerate', 'data', 'changed', 'deleted', 'sessionId'],
  ...['encryptedSessionId', 'toJSON', 'constructor', 'Passport', 'passport ', 'user'],
];

const PROTOTYPES = ['{"passport":"from the prototype"}', '{}', 'null', '[]', '5', '"get"', 'true'];

const other = (random) =>
  random.weighted([
    [6, () => ['views', number(random)]],
    [4, () => ['returnTo', string(random, `/${anyText(random)}`)]],
    [4, () => ['cart', value(random)]],
    [2, () => [anyText(random, 8), value(random)]],
    [1, () => ['flash', '{"error":["no"]}']],
    [2, () => ['lastSeen', random.pick(UNHOLDABLE)]],
    [2, () => [random.pick(OWN), value(random)]],
    [1, () => ['__proto__', random.pick(PROTOTYPES)]],
  ]);

/** A session's JSON. `special` is what its package keeps beside it: `[name, JSON text]` each. */
export function session(random, special) {
  const members = [...special];
  if (random.chance(0.85)) members.push(['passport', user(random)]);
  for (let count = random.weighted([[6, 0], [3, 1], [1, 4]]); count > 0; count--) members.push(other(random));
  if (random.chance(0.04)) members.push(['passport', random.chance(0.3) ? random.pick(UNHOLDABLE) : user(random)]);
  if (random.chance(0.006)) members.push(['deep', nested(random, random.pick([62, 63, 64, 65, 100, 2000]))]);
  return object(random, random.chance(0.2) ? random.shuffle(members) : members);
}

const NO_OBJECTS = [
  ...['null', 'false', '0', '-0', '0.0', '1e-400', '""', ' null\n'],
  ...['true', '1', '1e999', '"text"', '"\\ud800"', '[]', '[{"passport":1}]', '{}'],
  ...['undefined', ' '],
];

/** The bytes of such a session, or of what is none. */
export const record = (random, special) =>
  random.weighted([
    [95, () => bytes(random, session(random, special(random)))],
    [4, () => Buffer.from(random.pick(NO_OBJECTS))],
    [1, () => Buffer.from(value(random))],
  ]);
