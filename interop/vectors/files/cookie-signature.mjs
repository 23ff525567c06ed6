/** npm cookie-signature: what it signs, and what it does not take back. The oldest in use agrees. */

import { createRequire } from 'node:module';
import { versions } from '../../differential/packages.mjs';
import { agreed } from '../packages.mjs';

const require = createRequire(import.meta.url);
const PACKAGES = ['cookie-signature', 'cookie-signature-1.0'];
const SIGNERS = PACKAGES.map((name) => require(name));

export const madeBy = () => ({
  'cookie-signature': PACKAGES.map((name) => versions(name)['cookie-signature']),
});

const CAT = 'keyboard cat';
const SIGNED = [
  ['a session id of express-session', CAT, 'fMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld'],
  ['a secret that is not ASCII', 'sécret ☃', 'fMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld'],
  ['a secret longer than a block of the hash', CAT.repeat(20), 'fMPzKu0tTbq0cXx6vWnRr-9_Hg3pY7Ld'],
  ['dots in the value', CAT, 'a.b.c'],
  ['an empty value', CAT, ''],
  ['a value that is not ASCII', 'k', 'user:1/+=é'],
  ['a value beyond the basic plane', 'k', '🍪'],
];

/** `[name, secret, text]`; what is wrong is in the name. */
const REFUSED = (good) => [
  ['padding after the signature', CAT, `${good}=`],
  ['the URL-safe alphabet', CAT, good.replaceAll('+', '-').replaceAll('/', '_')],
  ['a signature in lower case', CAT, good.toLowerCase()],
  ['a signature without its first character', CAT, good.replace(/\.(?=[^.]*$)./, '.')],
  ['other bits that are thrown away', CAT, good.replace(/E$/, 'F')],
  ['an empty signature', CAT, good.replace(/[^.]*$/, '')],
  ['another value', CAT, `A${good}`],
  ['another secret', 'another secret', good],
  ['no signature', CAT, 'nothing'],
  ['nothing', CAT, ''],
];

export function vectors() {
  const signed = SIGNED.map(([name, secret, value]) => {
    const text = agreed(SIGNERS.map(({ sign }) => sign(value, secret)), name);
    return { name, secret, signed: text, value: unsigned(name, text, secret) };
  });
  if (signed.some(({ value }) => value === null)) throw new Error('it does not take back what it signed');
  const [good] = signed.filter(({ value }) => value === 'a.b.c').map((vector) => vector.signed);
  const refused = REFUSED(good).map(([name, secret, text]) => ({
    name,
    secret,
    signed: text,
    value: unsigned(name, text, secret),
  }));
  if (refused.some(({ value }) => value !== null)) throw new Error('it takes what it should refuse');
  return [...signed, ...refused];
}

/** The value, or null where it gives `false`. */
function unsigned(name, text, secret) {
  const value = agreed(SIGNERS.map(({ unsign }) => unsign(text, secret)), name);
  return value === false ? null : value;
}
