/** Secrets, session ids, and values signed as npm cookie-signature does, mostly. */

import { createHmac } from 'node:crypto';
import { BROKEN_PERCENT, anyCharacter, anyText, urlSafe, withAccident } from './text.mjs';

/** `value.signature`, by the definition, so that no package under test makes its own cases. */
const signature = (value, secret, algorithm = 'sha256') =>
  createHmac(algorithm, secret).update(value).digest('base64').replace(/=+$/, '');

const secret = (random) =>
  random.weighted([
    [6, 'keyboard cat'],
    [4, () => urlSafe(random, random.between(1, 40))],
    [2, 'sécret ☃'],
    [2, () => random.text(random.between(1, 12), anyCharacter)],
    [1, () => random.text(random.between(63, 300), anyCharacter)],
    [1, ' '],
    [1, '\0'],
  ]);

/** An app's secrets, newest first. One in 200 has an empty one among them. */
export function secrets(random) {
  const several = Array.from({ length: random.weighted([[6, 1], [2, 2], [1, 3], [1, 5]]) }, () => secret(random));
  return random.chance(1 / 200) ? random.shuffle([...several.slice(1), '']) : several;
}

/** Forbidden here, or in paths, or easily taken for something else. */
const ODD_IDS = ['.', '..', 'a.', '.a', '../a', 'a/../../b', '.s:', 's:a', 'sess:a', '__proto__', '%41'];
const CONTROLS = ['*', '\0', '\r\n', '\x1b[2J', '\x7f', '\x85', '\x9f'];
const ODD_CHARACTERS = [' ', '"', ';', '=', '+', '\\', '{1}', ',', '\xa0'];

const around = (random, text) => urlSafe(random, random.below(6)) + text + urlSafe(random, random.below(6));

export const sessionId = (random) =>
  random.weighted([
    [70, () => urlSafe(random, 32)],
    [5, () => [8, 4, 4, 4, 12].map((length) => urlSafe(random, length)).join('-')],
    [4, () => Array.from({ length: random.between(2, 5) }, () => urlSafe(random, 3)).join('.')],
    [4, () => random.pick(ODD_IDS)],
    [2, () => around(random, random.pick(CONTROLS))],
    [4, () => around(random, random.pick(ODD_CHARACTERS))],
    [3, () => around(random, random.pick(BROKEN_PERCENT))],
    [5, () => anyText(random, 24)],
    [2, ''],
    [1, () => urlSafe(random, random.between(100, 3000))],
  ]);

const changed = (random, text) => {
  const at = random.below(text.length);
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
};

/** `value` and its signature, or a near miss in one case of six. */
export function signed(random, value, allSecrets) {
  const chosen = random.pick(allSecrets);
  const right = signature(value, chosen);
  if (!random.chance(1 / 6)) return `${value}.${right}`;
  return random.weighted([
    [2, () => `${value}.${right.slice(0, -random.between(1, right.length))}`],
    [2, () => `${value}.${right}=`],
    [3, () => `${value}.${right.replaceAll('+', '-').replaceAll('/', '_')}`],
    [2, () => `${value}.${signature(value, anyText(random))}`],
    [2, () => `${value}.${changed(random, right)}`],
    // The last digit carries two bits that a lenient decoder throws away.
    [1, () => `${value}.${right.slice(0, -1)}${String.fromCharCode(right.charCodeAt(42) + 1)}`],
    [1, () => `${value}.${right.toLowerCase()}`],
    [1, () => `${value}.${right}${random.pick([' ', '\n', '\0', '.', '=='])}`],
    [1, () => `${value}.${Buffer.from(right, 'base64').toString('hex')}`],
    [1, () => `${value}.${signature(value, chosen, 'sha1')}`],
    [1, () => `${value}.${signature(`s:${value}`, chosen)}`],
    [2, () => value],
    [1, () => value + right],
    [1, () => `${value}..${right}`],
    [1, () => `${value}.${right}.`],
    [1, () => `${value}.${right}.${right}`],
    [1, () => `.${right}`],
    [2, () => `${withAccident(random, value)}.${right}`],
    [1, () => ''],
  ]);
}
