/** Sessions without a `cookie` member, as cookie-session and Koa keep them: Passport's, and near misses. */

import { UNHOLDABLE, bytes, nested, number, object, string, value } from './json.mjs';
import { passport } from './passport.mjs';
import { anyText, urlSafe } from './text.mjs';

const other = (random) =>
  random.weighted([
    [3, () => ['views', number(random)]],
    [2, () => ['returnTo', string(random, `/${anyText(random)}`)]],
    [2, () => ['messages', value(random)]],
    [1, () => ['cookie', value(random)]],
    [1, () => [anyText(random, 8), value(random)]],
    [1, () => ['lastSeen', random.pick(UNHOLDABLE)]],
    [1, () => ['__proto__', random.pick(['{"passport":{"user":"from the prototype"}}', '{}', '5', 'null'])]],
  ]);

/** A session's JSON. `special` makes what its middleware keeps beside it: `[name, JSON text]` each. */
export function plainSession(random, special) {
  const members = special(random);
  if (random.chance(0.85)) members.push(['passport', passport(random)]);
  for (let count = random.weighted([[6, 0], [3, 1], [1, 4]]); count > 0; count--) members.push(other(random));
  if (random.chance(0.04)) members.push(['passport', passport(random)]);
  if (random.chance(0.006)) members.push(['deep', nested(random, random.pick([62, 63, 64, 65, 100, 2000]))]);
  return object(random, random.chance(0.2) ? random.shuffle(members) : members);
}

const NO_OBJECTS = [
  ...['null', 'false', '0', '-0', '""', ' null\n', '1e-400'],
  ...['true', '1', '1e999', '"text"', '"\\ud800"', '[]', '[{"passport":{"user":1}}]', '{}'],
  ...['undefined', ' ', ''],
];

/** The bytes of such a session, or of what is none. */
export const plainRecord = (random, special) =>
  random.weighted([
    [94, () => bytes(random, plainSession(random, special))],
    [5, () => Buffer.from(random.pick(NO_OBJECTS))],
    [1, () => Buffer.from(value(random))],
  ]);

/** The same in a store, which takes also what is too large for a cookie, or holds nothing. */
export function storedRecord(random, special) {
  if (random.chance(0.02)) return null;
  if (!random.chance(0.005)) return plainRecord(random, special);
  return plainRecord(random, (r) => [...special(r), ['large', `"${'x'.repeat(1024 * 1024 - r.below(300))}"`]]);
}

/** Junk that lenient decoders skip, and what may follow an end that they see. */
const JUNK = [' ', '\t', '!', '.', '%', '*', '\xe9', '\x80', '\\', '"', ','];
const AFTER = ['=', '==', '===', '=QQ==', '==QQ', 'A', '==;', ' ', '%3D'];

/** Base64 of the bytes, spelled as it is usually, or in another way. */
export const base64 = (random, payload) => {
  const usual = payload.toString('base64');
  const at = random.below(usual.length + 1);
  return random.weighted([
    [80, usual],
    [4, () => usual.replace(/=+$/, '')],
    [4, () => payload.toString('base64url')],
    [2, () => payload.toString('base64url') + '='.repeat(random.below(4))],
    [3, () => usual.slice(0, at) + random.pick(JUNK) + usual.slice(at)],
    [1, () => usual.replace(/.{8}/g, `$&${random.pick(JUNK)}`)],
    [1, () => usual.slice(0, at)],
    [1, () => usual.slice(0, at) + random.pick(['=', '==']) + usual.slice(at)],
    [2, () => usual + random.pick(AFTER)],
    [1, () => usual.slice(0, -1) + urlSafe(random, 1)],
    [1, () => payload.toString('hex')],
    [1, () => encodeURIComponent(payload.toString())],
  ]);
};
