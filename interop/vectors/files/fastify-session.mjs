/** @fastify/session on Fastify 5. */

import { versions } from '../../differential/packages.mjs';
import { createApp } from '../apps/fastify.mjs';
import { START } from '../clock.mjs';
import { answered, leftBy, login } from '../sessions.mjs';

export const madeBy = () => ({
  ...versions('@fastify/session'),
  ...versions('@fastify/cookie'),
  ...versions('fastify'),
});

const SECRET = 'a secret with minimum length of 32 characters';
const APP = { kind: 'fastify', cookie: 'sessionId', secrets: [SECRET], cookie_prefix: '' };
const ONE_HOUR = 60 * 60 * 1000;

export async function vectors() {
  const { cookies, stored } = await leftBy(createApp, APP, login(42));
  const value = decodeURIComponent(cookies.slice('sessionId='.length));
  const as = (text) => `sessionId=${encodeURIComponent(text)}`;
  const prefixed = { ...APP, cookie_prefix: 's:' };

  const found = (name, header, given) => ({
    name,
    app: APP,
    cookies: header,
    stored,
    session: 'found',
    ...given,
  });
  const none = (name, header, given) => ({ ...found(name, header, given), session: 'new' });
  const error = (name, text) => ({ ...found(name, cookies), stored: text, session: 'error' });
  const withApp = async (name, app) => {
    const left = await leftBy(createApp, app, login(42));
    return found(name, left.cookies, { app });
  };

  return answered(createApp, [
    found('as it was set', cookies),
    found('not encoded', `sessionId=${value}`),
    found('a bad one after it', `${cookies}; sessionId=x`),
    found('an older secret', cookies, { app: { ...APP, secrets: ['new'.repeat(20), SECRET] } }),
    found('a moment before its date', cookies, { at: START + ONE_HOUR - 1 }),
    found('a record without `cookie`', cookies, { stored: '{"passport":7}' }),
    await withApp('with the prefix of Express', prefixed),
    await withApp('another name', { ...APP, cookie: 'app.sid' }),

    none('at its date', cookies, { at: START + ONE_HOUR }),
    none('no cookies', undefined),
    none('a bad one before it', `sessionId=x; ${cookies}`),
    none('in double quotes', `sessionId="${encodeURIComponent(value)}"`),
    none('without the prefix', cookies, { app: prefixed }),
    none('with a prefix', as(`s:${value}`)),
    none('another session id', as(`A${value}`)),
    none('another signature', as(value.replace(/\.(?=[^.]*$)./, (text) => (text === '.A' ? '.B' : '.A')))),
    none('padding after the signature', as(`${value}=`)),
    none('another secret', cookies, { app: { ...APP, secrets: ['another '.repeat(5)] } }),
    none('the store has nothing', cookies, { stored: undefined }),
    none('the store has null', cookies, { stored: 'null' }),

    error('the store has no JSON', stored.slice(0, -1)),
  ]);
}
