/** JSON texts: values of every kind, objects whose keys come twice, and texts that are hardly JSON. */

import { anyText, withAccident } from './text.mjs';

/** A string as `JSON.stringify` writes it, or with more escapes than it needs, which mean the same. */
export function string(random, text) {
  const usual = JSON.stringify(text);
  if (!random.chance(0.08)) return usual;
  return usual.replace(/[a-z/]/g, (letter) => (random.chance(0.3) ? escaped(random, letter) : letter));
}

/** Only where no backslash is before the letter does an escape mean the letter. */
function escaped(random, letter) {
  if (letter === '/') return '\\/';
  const digits = letter.charCodeAt(0).toString(16).padStart(4, '0');
  return `\\u${random.chance(0.5) ? digits.toUpperCase() : digits}`;
}

const PROTOTYPE_NAMES = ['__proto__', 'constructor', 'toString', 'prototype', 'hasOwnProperty', 'valueOf', 'toJSON'];

/** Strings and numbers that JavaScript holds, and Rust does not. */
export const UNHOLDABLE = [
  '"\\ud800"',
  '"a\\uDFFFb"',
  '"\\udc00\\ud800"',
  '{"k":"\\ud83d"}',
  '{"\\ud800":1}',
  '1e999',
  '-1e400',
  '[1e309]',
];

/** Integers that JavaScript rounds. */
const BEYOND_DOUBLES = ['9007199254740993', '-9007199254740993', '18446744073709551615', '[9223372036854775807]'];

export const number = (random) =>
  random.weighted([
    [6, () => String(random.below(1000))],
    [2, '0'],
    [1, '-0'],
    [1, '-0.0'],
    [1, '1e3'],
    [1, '1E-7'],
    [1, '0.1'],
    [1, '1e-400'],
    [1, '123456789012345678901234567890'],
    [1, '9007199254740992'],
    [1, '1.7976931348623157e308'],
    [1, '4.9e-324'],
    [1, () => String((random.below(2 ** 32) / random.between(1, 1000)) * 10 ** random.between(-20, 20))],
    [1, () => random.pick(BEYOND_DOUBLES)],
  ]);

const scalar = (random) =>
  random.weighted([
    [4, number],
    [4, () => string(random, anyText(random))],
    [1, 'null'],
    [1, 'true'],
    [1, 'false'],
    [1, '""'],
    [1, '"0"'],
  ]);

export function value(random, depth = 3) {
  if (depth === 0 || random.chance(0.6)) return scalar(random);
  const length = random.below(4);
  if (random.chance(0.4)) return `[${Array.from({ length }, () => value(random, depth - 1))}]`;
  return object(random, Array.from({ length }, () => [key(random), value(random, depth - 1)]));
}

const key = (random) =>
  random.weighted([
    [8, () => random.pick(['id', 'user', 'cookie', 'passport', 'name', 'a', '0', ''])],
    [2, () => anyText(random, 8)],
    [1, () => random.pick(PROTOTYPE_NAMES)],
  ]);

const WHITE = [' ', '\n', '\t', '\r', '  ', '\r\n'];
const white = (random, share) => (random.chance(share) ? random.pick(WHITE) : '');

/** An object of these `[key, JSON text]`, whose keys may come twice. */
export function object(random, members) {
  const share = random.chance(0.05) ? 0.4 : 0;
  const w = () => white(random, share);
  const texts = members.map(([name, text]) => `${w()}${string(random, name)}${w()}:${w()}${text}${w()}`);
  return `{${texts.join(',') || w()}}`;
}

/** Objects and arrays inside each other, `levels` of them. */
export const nested = (random, levels) =>
  random.chance(0.5) ? '['.repeat(levels) + ']'.repeat(levels) : '{"a":'.repeat(levels) + '0' + '}'.repeat(levels);

const NO_UTF8 = ['ff', 'c3', 'c080', 'eda080', 'f0', 'f09f98', 'f4908080', 'e2', '80', 'fe', 'f8888080', 'c328'];
/** No JSON string may hold them as they are. */
const CONTROLS = ['00', '09', '0a', '1f'];

/** The bytes of a JSON text that may have been damaged. */
export function bytes(random, json) {
  return random.weighted([
    [84, () => Buffer.from(json)],
    [2, () => Buffer.from(random.pick(WHITE) + json + random.pick(WHITE))],
    [1, () => Buffer.from(random.pick(['\ufeff', '\xa0', '\f', '\v', '\0', '\u2028', ')]}\',\n', '// x\n']) + json)],
    [1, () => Buffer.from(json + random.pick(['x', ',', '}', '{}', '\0', '\xa0', ' null', '//', '\u2029']))],
    [1, () => Buffer.from(`${json.slice(0, -1)},}`)],
    [1, () => Buffer.from(json.slice(0, random.below(json.length + 1)))],
    [1, () => Buffer.from(json.replaceAll('"', "'"))],
    [3, () => Buffer.from(withAccident(random, json, (r) => r.pick(ACCIDENTS)))],
    [2, () => Buffer.from(withAccident(random, json))],
    [1, () => withBytes(json, random.below(json.length + 1), random.pick(NO_UTF8))],
    // Inside a key or a string, in half of the cases.
    [2, () => withBytes(json, behindQuote(random, json), random.pick(NO_UTF8))],
    [1, () => withBytes(json, behindQuote(random, json), random.pick(CONTROLS))],
    [1, () => Buffer.alloc(0)],
  ]);
}

const ACCIDENTS = [
  ...['\\', '\\u', '\\ud800', '\\x41', '\\u0000', '\n', '\t', '\x1f', '\x7f', '\u2028'],
  ...['"', "'", ',', ':', '{', '}', '[', ']', '0', '-', '+', '.', 'e'],
  ...['NaN', 'Infinity', 'undefined', '/**/'],
];

const behindQuote = (random, json) => json.indexOf('"', random.below(json.length + 1)) + 1;

function withBytes(json, place, hex) {
  const at = Buffer.byteLength(json.slice(0, place));
  const text = Buffer.from(json);
  return Buffer.concat([text.subarray(0, at), Buffer.from(hex, 'hex'), text.subarray(at)]);
}
