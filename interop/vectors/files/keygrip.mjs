/** npm keygrip: what it signs, and what it verifies. Its oldest version in use agrees. */

import { createRequire } from 'node:module';
import { versions } from '../../differential/packages.mjs';
import { agreed, requireOf } from '../packages.mjs';

const require = createRequire(import.meta.url);
const KEYGRIPS = [requireOf('koa')('keygrip'), require('keygrip-1.0')];

export const madeBy = () => ({
  keygrip: [versions('koa', {}, ['keygrip']).keygrip, versions('keygrip-1.0').keygrip],
});

const KEYS = ['key1', 'key2'];
const DATA = 'session=eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifX0=';

export function vectors() {
  const signed = (keys, data, hash) => agreed(KEYGRIPS.map((of) => of(keys, hash).sign(data)), data);
  const vector = (name, signature, { keys = KEYS, data = DATA, hash = 'sha1' } = {}) => ({
    name,
    keys,
    hash,
    data,
    signature,
    verifies: agreed(KEYGRIPS.map((of) => of(keys, hash).verify(data, signature)), name),
  });
  const good = signed(KEYS, DATA, 'sha1');

  const right = [
    vector('the first key, SHA-1', good),
    vector('an older key', signed(['key2'], DATA, 'sha1')),
    vector('SHA-256', signed(KEYS, DATA, 'sha256'), { hash: 'sha256' }),
    vector('a key that is not ASCII', signed(['clé ☃'], DATA, 'sha1'), { keys: ['clé ☃'] }),
    vector('data that is not ASCII', signed(KEYS, 'session=é🍪', 'sha1'), { data: 'session=é🍪' }),
    vector('a signature with - and _', signed(KEYS, 'koa.sid=15', 'sha1'), { data: 'koa.sid=15' }),
  ];
  const wrong = [
    vector('another key', signed(['key3'], DATA, 'sha1')),
    vector('the other hash', signed(KEYS, DATA, 'sha256')),
    vector('other data', good, { data: `${DATA}=` }),
    vector('padding after the signature', `${good}=`),
    vector('a signature in upper case', good.toUpperCase()),
    vector('an empty signature', ''),
  ];
  if (!right.every(({ verifies }) => verifies) || wrong.some(({ verifies }) => verifies)) {
    throw new Error('a vector is not what its name says');
  }
  return [...right, ...wrong];
}
