/** @fastify/secure-session on Fastify 5: the session is in the cookie, sealed with a nonce that it draws. */

import { versions } from '../../differential/packages.mjs';
import { createApp } from '../apps/fastify-secure.mjs';
import { START } from '../clock.mjs';
import { answered, leftBy, login } from '../sessions.mjs';

export const madeBy = () => ({
  ...versions('@fastify/secure-session', {}, ['sodium-native']),
  ...versions('fastify'),
});

const KEY = Buffer.alloc(32, 7).toString('base64');
const OTHER_KEY = Buffer.alloc(32, 8).toString('base64');
const APP = { kind: 'secure-session', cookie: 'session', keys: [KEY] };
const SECRET = {
  kind: 'secure-session-secret',
  cookie: 'session',
  secret: 'averylogphrasebiggerthanthirtytwochars',
};
// Where the app gives none.
const EXPIRY = 86_401 * 1000;

/** `kept` are the vectors that the file has, by their names. */
export async function vectors(kept) {
  const sealed = async (name, app, user) =>
    kept.get(name)?.cookies ?? (await leftBy(createApp, app, login(user))).cookies;
  const found = (name, cookies, given) => ({ name, app: APP, cookies, session: 'found', ...given });
  const none = (name, cookies, given) => ({ ...found(name, cookies, given), session: 'new' });
  const withApp = async (name, app, user = 42) => found(name, await sealed(name, app, user), { app });

  const cookies = await sealed('as it was set', APP, 42);
  const [box, nonce] = decodeURIComponent(cookies.slice('session='.length)).split(';');
  const as = (text) => `session=${encodeURIComponent(text)}`;
  const flipped = (text) => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);

  return answered(createApp, [
    found('as it was set', cookies),
    found('a moment before it ends', cookies, { at: START + EXPIRY - 1 }),
    found('in double quotes, which are no base64', cookies.replace('=', '="').concat('"')),
    found('an older key', cookies, { app: { ...APP, keys: [OTHER_KEY, KEY] } }),
    found('an expiry of its own', cookies, { app: { ...APP, expiry: 60 }, at: START + 59_999 }),
    await withApp('a user who is an object', APP, { id: 42, name: 'Zoë ☃' }),
    await withApp('the user 0', APP, 0),
    await withApp('a secret', SECRET, 7),
    await withApp('a secret and a salt', { ...SECRET, salt: 'sixteen bytes!!!' }, 7),

    none('when it ends', cookies, { at: START + EXPIRY }),
    none('when an expiry of its own ends', cookies, { app: { ...APP, expiry: 60 }, at: START + 60_000 }),
    none('no cookies', undefined),
    none('another box', as(`${flipped(box)};${nonce}`)),
    none('another nonce', as(`${box};${flipped(nonce)}`)),
    none('no nonce', as(box)),
    none('a short nonce', as(`${box};${nonce.slice(4)}`)),
    none('not encoded', `session=${box};${nonce}`),
    none('a bad one before it', `session=x; ${cookies}`),
    none('another key', cookies, { app: { ...APP, keys: [OTHER_KEY] } }),
  ]);
}
