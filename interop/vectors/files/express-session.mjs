/** express-session and Passport 0.7 on Express 5, with a store that reads as connect-redis does. */

import { sign } from 'cookie-signature';
import { versions } from '../../differential/packages.mjs';
import { createAppWith } from '../apps/express.mjs';
import { START } from '../clock.mjs';
import { answered, leftBy, login } from '../sessions.mjs';

const createApp = createAppWith('passport');

export const madeBy = () => ({
  ...versions('express-session', {}, ['cookie', 'cookie-signature']),
  ...versions('passport'),
  ...versions('express'),
});

const CAT = { kind: 'express', cookie: 'connect.sid', secrets: ['keyboard cat'] };
const SEVERAL_HOURS = 5 * 60 * 60 * 1000;

export async function vectors() {
  const { cookies, stored } = await leftBy(createApp, CAT, login(42));
  const value = decodeURIComponent(cookies.slice('connect.sid='.length));
  const sid = value.slice('s:'.length, value.lastIndexOf('.'));
  const signature = value.slice(value.lastIndexOf('.') + 1);
  const as = (text) => `connect.sid=${text}`;
  const encoded = (text) => as(encodeURIComponent(text));

  const found = (name, header, given) => ({
    name,
    app: CAT,
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
  const visitor = await leftBy(createApp, CAT, '/visit');

  return answered(createApp, [
    found('as it was set', cookies),
    found('a visitor who did not log in', visitor.cookies, { stored: visitor.stored }),
    found('not encoded', as(value)),
    found('encoded in lower case', cookies.replace(/%../g, (code) => code.toLowerCase())),
    found('in double quotes', as(`"${encodeURIComponent(value)}"`)),
    found('spaces around the =', cookies.replace('=', ' = ')),
    found('among other cookies, without spaces', `theme=dark;${cookies};lang=fr`),
    found('a bad one after it', `${cookies}; ${as('s%3Ax.y')}`),
    found('after its date, while the store has it', cookies, { at: START + SEVERAL_HOURS }),
    found('an older secret', cookies, { app: { ...CAT, secrets: ['new secret', 'keyboard cat'] } }),
    found('dots in the session id', encoded(`s:${sign('a.b.c', 'keyboard cat')}`)),
    await withApp('another name', { ...CAT, cookie: 'app.sid' }),
    await withApp('a secret that is not ASCII', { ...CAT, secrets: ['sécret ☃'] }),
    await withApp('a long secret', { ...CAT, secrets: ['keyboard cat'.repeat(20)] }),

    none('no cookies', undefined),
    none('other cookies', 'theme=dark'),
    none('a bad one before it', `${as('s%3Ax.y')}; ${cookies}`),
    none('an empty one before it', `connect.sid=; ${cookies}`),
    none('another case', cookies.replace('connect.sid', 'Connect.sid')),
    none('a comma before it', `theme=dark, ${cookies}`),
    none('without s:', encoded(value.slice('s:'.length))),
    none('the session id alone', as(sid)),
    none('the session id alone, with s:', encoded(`s:${sid}`)),
    none('a session id that is empty', encoded(`s:${sign('', 'keyboard cat')}`)),
    none('another session id', encoded(`s:A${sid.slice(1)}.${signature}`)),
    none('another signature', encoded(`s:${sid}.A${signature.slice(1)}`)),
    none('padding after the signature', encoded(`${value}=`)),
    none('a signature in the URL-safe alphabet', encoded(value.replaceAll('+', '-').replaceAll('/', '_'))),
    none('a stray % at the end', `${cookies}%`),
    none('another secret', cookies, { app: { ...CAT, secrets: ['another secret'] } }),
    none('the store has nothing', cookies, { stored: undefined }),
    none('the store has null', cookies, { stored: 'null' }),

    error('the store has no JSON', stored.slice(0, -1)),
    error('the store has no `cookie`', '{"passport":{"user":42}}'),
    error('the store has a `cookie` that is null', '{"cookie":null,"passport":{"user":42}}'),
  ]);
}
