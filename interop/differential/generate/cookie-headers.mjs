/** Cookie headers around one cookie that matters: other cookies, duplicates, odd spelling. */

import { BROKEN_PERCENT, anyText, urlSafe, withAccident } from './text.mjs';

/** What HTTP lets through in a header: tab, printable ASCII, and any byte above (Node reads it as latin1). */
const isHeaderSafe = (character) => /^[\t\x20-\x7e\x80-\xff]$/.test(character);
export const onlyHeaderSafe = (text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/gu, '');

/** `encodeURIComponent`, of a share of the characters, and of those that no header can carry. */
const encodedPartly = (random, text, share) =>
  [...text]
    .map((character) => (random.chance(share) || !isHeaderSafe(character) ? percentEncoded(character) : character))
    .join('');

const percentEncoded = (character) =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

const lowerCaseHex = (text) => text.replace(/%../g, (hex) => hex.toLowerCase());

const wireValue = (random, value) =>
  random.weighted([
    [60, () => encodeURIComponent(value)],
    [6, () => lowerCaseHex(encodeURIComponent(value))],
    [10, () => encodedPartly(random, value, 0.3)],
    [8, () => encodedPartly(random, value, 0)],
    [3, () => encodedPartly(random, value, 1)],
    [3, () => encodeURIComponent(encodeURIComponent(value))],
    [2, () => withAccident(random, encodeURIComponent(value), (r) => r.pick(BROKEN_PERCENT))],
    [1, () => encodeURIComponent(value) + random.pick(BROKEN_PERCENT)],
    [1, () => encodeURIComponent(value).replaceAll('%', '')],
  ]);

const WHITE = ['', ' ', '\t', '  ', ' \t ', '\xa0'];

const quoted = (random, text) =>
  random.weighted([
    [80, text],
    [5, () => `"${text}"`],
    [3, () => `"${text}`],
    // Before 0.5, npm cookie took this for a quoted value.
    [2, () => `"${text}'`],
    [1, () => `${text}"`],
    [1, () => `""${text}""`],
    [1, () => `'${text}'`],
    [1, () => `" ${text} "`],
  ]);

function pair(random, name, value) {
  const text = quoted(random, wireValue(random, value));
  if (!random.chance(0.06)) return `${name}=${text}`;
  const white = () => random.pick(WHITE);
  return `${white()}${name}${white()}=${white()}${text}${white()}`;
}

/** A cookie with nearly the name that matters. */
export const namesake = (random, name) => {
  const changed = [name.toUpperCase(), name.slice(1), `${name}x`, `x${name}`, `${name}.sig`, `"${name}"`];
  return random.pick([...changed, encodeURIComponent(name)]);
};

const noise = (random, name) =>
  random.weighted([
    [5, () => `${urlSafe(random, random.between(1, 8))}=${urlSafe(random, random.below(30))}`],
    [2, 'theme=dark'],
    [1, 'note="a; b"'],
    [1, '='],
    [1, '=nameless'],
    [1, 'valueless'],
    [1, ''],
    [1, 'a=b=c'],
    [1, () => `${random.pick(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])}=1`],
    [1, () => `p=${random.pick(BROKEN_PERCENT)}`],
    [2, () => `${namesake(random, name)}=${urlSafe(random, 5)}`],
    [1, () => onlyHeaderSafe(`${anyText(random, 6)}=${anyText(random)}`)],
    [1, () => `w=${random.pick(WHITE)}`],
  ]);

const duplicate = (random, name, value) =>
  random.weighted([
    [2, () => `${name}=`],
    [1, () => `${name}=""`],
    [1, name],
    [2, () => `${name}=${urlSafe(random, 10)}`],
    [2, () => `${name}=s%3A${urlSafe(random, 10)}.${urlSafe(random, 43)}`],
    [2, () => pair(random, name, value)],
    [2, () => pair(random, name, withAccident(random, value))],
    [1, () => pair(random, namesake(random, name), value)],
  ]);

const SEPARATORS = [
  [90, '; '],
  [12, ';'],
  [3, ' ; '],
  [2, ';;'],
  [2, ';\t'],
  [1, ';\xa0'],
  [1, ', '],
  [1, ' '],
  [1, '&'],
];

const ACCIDENTS = ['"', ';', '=', ' ', '\t', '%', '\xa0', '\xe9', '\x80', 'a'];

/** `Cookie` headers in which a cookie `name` with `value` is found, mostly. One string of latin1 each. */
export function cookieHeaders(random, name, value) {
  const cookies = [pair(random, name, value)];
  if (random.chance(0.12)) cookies.push(duplicate(random, name, value));
  return headersWith(random, name, cookies);
}

/** `Cookie` headers with these cookies of that `name`, and others, in any order. */
export function headersWith(random, name, wanted) {
  if (random.chance(0.02)) return random.pick([[], [''], ['', ''], [' '], [noise(random, name)]]);
  const cookies = [...wanted];
  const others = random.weighted([[6, 0], [4, 1], [4, 2], [2, 4], [1, 12]]);
  for (let count = 0; count < others; count++) cookies.push(noise(random, name));
  if (random.chance(0.005)) cookies.push(`long=${urlSafe(random, random.between(500, 12_000))}`);

  const headers = [''];
  for (const cookie of random.shuffle(cookies)) {
    if (headers.length < 4 && random.chance(0.06)) headers.push(random.chance(0.1) ? '' : cookie);
    else headers[headers.length - 1] += (headers.at(-1) === '' ? '' : random.weighted(SEPARATORS)) + cookie;
  }
  if (random.chance(0.05)) {
    const at = random.below(headers.length);
    headers[at] = withAccident(random, headers[at], (r) => r.pick(ACCIDENTS));
  }
  return headers.map(onlyHeaderSafe);
}
