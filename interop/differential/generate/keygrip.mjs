/** Cookies signed as npm keygrip does, by a cookie of their own: `name=value; name.sig=signature`, mostly. */

import { createHmac } from 'node:crypto';
import { shorter } from '../shrink.mjs';
import { headersWith, namesake, onlyHeaderSafe } from './cookie-headers.mjs';
import { anyText, urlSafe, withAccident } from './text.mjs';

/** By the definition, so that no package under test makes its own cases. */
const signature = (data, secret, hash) => createHmac(hash, secret).update(data).digest('base64url');

/** keygrip's second argument. */
export const hash = (random) => random.weighted([[3, 'sha1'], [1, 'sha256']]);

const standardAlphabet = (text) => text.replaceAll('-', '+').replaceAll('_', '/');

const changed = (random, text) => {
  const at = random.below(text.length);
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
};

/** What the `.sig` cookie holds. */
function signatureOf(random, { name, value, secrets, hash }) {
  const secret = random.pick(secrets);
  const right = signature(`${name}=${value}`, secret, hash);
  if (!random.chance(1 / 9)) return right;
  const other = hash === 'sha1' ? 'sha256' : 'sha1';
  return random.weighted([
    [2, () => right.slice(0, -random.between(1, right.length))],
    [2, () => `${right}=`],
    [2, () => standardAlphabet(right)],
    [2, () => changed(random, right)],
    [2, () => signature(`${name}=${value}`, anyText(random), hash)],
    [2, () => signature(`${name}=${value}`, secret, other)],
    [2, () => signature(`${namesake(random, name)}=${value}`, secret, hash)],
    [1, () => signature(value, secret, hash)],
    [1, () => signature(`${name}=${encodeURIComponent(value)}`, secret, hash)],
    [1, () => signature(`${name}=${withAccident(random, value)}`, secret, hash)],
    [1, () => right.toLowerCase()],
    [1, () => Buffer.from(right, 'base64url').toString('hex')],
    [1, () => right + random.pick([' ', '\t', '.', '==', '\xa0'])],
    [1, () => ` ${right}`],
    [1, () => encodeURIComponent(standardAlphabet(right))],
    [1, () => right + right],
    [1, ''],
  ]);
}

/** What was signed, what is sent as it, and in which quotes. npm cookies drops some from 0.9 on, before signing. */
const spelling = (random, value) =>
  random.weighted([
    [120, [value, value]],
    [3, [value, `"${value}"`]],
    [2, [`"${value}"`, `"${value}"`]],
    [1, [value, `"${value}'`]],
    [1, [value, `"${value}`]],
    [1, [value.slice(0, -1), `"${value}`]],
    [1, [value, `${value}"`]],
    [1, [value, `${value} `]],
    [1, [`${value} `, `${value} `]],
    [1, [value, ` ${value}`]],
    [1, [value, encodeURIComponent(value)]],
    [1, [encodeURIComponent(value), encodeURIComponent(value)]],
  ]);

const WHITE = ['', ' ', '\t', '  ', '\xa0'];

function pair(random, name, text) {
  if (!random.chance(0.03)) return `${name}=${text}`;
  const white = () => random.pick(WHITE);
  return `${white()}${name}${white()}=${white()}${text}`;
}

const quotedSignature = (random, text) =>
  random.weighted([[60, text], [1, `"${text}"`], [1, `"${text}`], [1, `"${text}x`], [1, `'${text}'`]]);

const duplicate = (random, name, value) =>
  random.weighted([
    [2, () => `${name}=`],
    [1, () => `${name}=""`],
    [1, name],
    [2, () => `${name}=${urlSafe(random, 10)}`],
    [2, () => `${name}=${value}`],
    [2, () => `${name}=${withAccident(random, value)}`],
    [2, () => `${name}.sig=${urlSafe(random, 27)}`],
    [1, () => `${name}.sig=`],
    [1, () => `${name}.sig.sig=${urlSafe(random, 27)}`],
    [2, () => `${namesake(random, name)}=${value}`],
    // What a pattern takes for the name whose dot is not escaped.
    [1, () => `${name.replace(/[.:]/, 'x')}=${value}`],
    [1, () => `${name}xsig=${urlSafe(random, 27)}`],
  ]);

/** `Cookie` headers in which the cookie `name` has this `value`, and its signature beside it. */
export function signedCookies(random, { name, value, secrets, hash }) {
  const [signed, sent] = spelling(random, onlyHeaderSafe(value));
  const text = quotedSignature(random, signatureOf(random, { name, value: signed, secrets, hash }));
  const cookies = [pair(random, name, sent)];
  if (!random.chance(0.02)) cookies.push(pair(random, `${name}.sig`, text));
  if (random.chance(0.1)) cookies.push(duplicate(random, name, onlyHeaderSafe(value)));
  return headersWith(random, name, cookies);
}

/** Cases whose cookie carries less, and is signed again. */
export function* smallerCarried(testCase) {
  const { name, secrets, hash, headers } = testCase;
  const value = headers.join('; ').split(/; */).find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
  if (value === undefined) return;
  for (const bytes of shorter(Buffer.from(value, 'base64'))) {
    const shorterValue = bytes.toString('base64');
    const sig = signature(`${name}=${shorterValue}`, secrets[0], hash);
    yield { ...testCase, headers: [`${name}=${shorterValue}; ${name}.sig=${sig}`] };
  }
}
