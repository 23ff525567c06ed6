/** Cookies of @fastify/secure-session: `box;nonce` in base64, sealed by libsodium as the package does, mostly. */

import { createRequire } from 'node:module';
import { base64 } from './plain-session.mjs';
import { BROKEN_PERCENT, urlSafe, withAccident } from './text.mjs';

const sodium = createRequire(import.meta.url)('sodium-native');
const { crypto_secretbox_KEYBYTES: KEY, crypto_secretbox_NONCEBYTES: NONCE, crypto_secretbox_MACBYTES: MAC } = sodium;

const bytes = (random, length) => Buffer.from(Array.from({ length }, () => random.below(256)));

/** An app's keys in base64, newest first. */
export const keys = (random) =>
  Array.from({ length: random.weighted([[6, 1], [3, 2], [1, 3], [1, 5]]) }, () => bytes(random, KEY).toString('base64'));

function sealed(payload, nonce, key) {
  const box = Buffer.alloc(payload.length + MAC);
  sodium.crypto_secretbox_easy(box, payload, nonce, key);
  return box;
}

function damaged(random, box) {
  const at = random.below(box.length);
  const flipped = Buffer.from(box);
  flipped[at] ^= 1 << random.below(8);
  return random.weighted([
    [4, flipped],
    [1, () => box.subarray(0, -random.between(1, box.length))],
    [1, () => box.subarray(random.between(1, box.length))],
    [1, () => Buffer.concat([box, bytes(random, random.between(1, 20))])],
    [1, () => Buffer.concat([box.subarray(MAC), box.subarray(0, MAC)])],
    [1, () => bytes(random, random.below(40))],
    [1, Buffer.alloc(0)],
  ]);
}

const otherNonce = (random, nonce) =>
  random.weighted([
    [3, () => bytes(random, NONCE)],
    [1, () => nonce.subarray(0, random.below(NONCE))],
    [1, () => Buffer.concat([nonce, bytes(random, random.between(1, 3))])],
    [1, () => Buffer.alloc(random.pick([0, 8, 12, 23, 24, 25, 32]))],
  ]);

/** The last byte of each is nothing, a digit, or `=`. */
const BEYOND_LATIN1 = ['☃', 'ā', 'Ł', '𐍈', '😀', '\u203d'];

/** What stands between box and nonce, or instead of the nonce, or behind it. */
const joined = (random, box, nonce) =>
  random.weighted([
    [90, `${box};${nonce}`],
    [2, () => `${box};${nonce};`],
    [1, () => `${box};${nonce};${urlSafe(random, 5)}`],
    [1, () => `${box} ; ${nonce}`],
    [1, () => `${box}${random.pick([':', ',', '.', '', '%3B', '=', ' '])}${nonce}`],
    [1, () => `${nonce};${box}`],
    [1, () => `;${box};${nonce}`],
    [1, () => `${box};;${nonce}`],
    [1, box],
    [1, () => `${box};`],
    [1, () => random.pick([';', '', ';;', '=', urlSafe(random, 40), ...BROKEN_PERCENT])],
    [2, () => withAccident(random, `${box};${nonce}`)],
    [1, () => `${random.pick(BEYOND_LATIN1)}${box};${nonce}`],
    [1, () => `${box};${nonce}${random.pick(BEYOND_LATIN1)}`],
  ]);

/** A cookie's value in which one of the keys, or in one case of twenty another one, sealed this payload. */
export function secretbox(random, payload, allKeys) {
  const nonce = bytes(random, NONCE);
  const key = random.chance(0.95) ? Buffer.from(random.pick(allKeys), 'base64') : bytes(random, KEY);
  const box = sealed(payload, nonce, key);
  const usual = !random.chance(0.2);
  const text = (part) => (usual ? part.toString('base64') : base64(random, part));
  const sentBox = random.chance(0.95) ? box : damaged(random, box);
  const sentNonce = random.chance(0.97) ? nonce : otherNonce(random, nonce);
  return joined(random, text(sentBox), text(sentNonce));
}
