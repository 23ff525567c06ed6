/** cookie-session on Express 5: the session is in the cookie. */

import { versions } from '../../differential/packages.mjs';
import { createApp } from '../apps/cookie-session.mjs';
import { START } from '../clock.mjs';
import { requireOf } from '../packages.mjs';
import { answered, leftBy, login } from '../sessions.mjs';

const Keygrip = requireOf('koa')('keygrip');

export const madeBy = () => ({
  ...versions('cookie-session', {}, ['cookies']),
  ...versions('koa', {}, ['keygrip']),
  ...versions('express'),
});

const APP = { kind: 'cookie-session', cookie: 'session', keys: ['key1', 'key2'], hash: 'sha1' };
const TEN_YEARS = 10 * 365 * 24 * 60 * 60 * 1000;

export async function vectors() {
  const { cookies } = await leftBy(createApp, APP, login('u1'));
  const [pair, sig] = cookies.split('; ');
  const olderSig = (await leftBy(createApp, { ...APP, keys: ['key2'] }, login('u1'))).cookies.split('; ')[1];
  const signed = (text) => {
    const value = `session=${Buffer.from(text).toString('base64')}`;
    return `${value}; session.sig=${new Keygrip(APP.keys).sign(value)}`;
  };

  const found = (name, header, given) => ({ name, app: APP, cookies: header, session: 'found', ...given });
  const none = (name, header, given) => ({ ...found(name, header, given), session: 'new' });
  const withApp = async (name, app, user = 'u1') => {
    const left = await leftBy(createApp, app, login(user));
    return found(name, left.cookies, { app });
  };

  return answered(createApp, [
    found('as it was set', cookies),
    found('ten years later', cookies, { at: START + TEN_YEARS }),
    found('the signature first, other cookies between', `${sig};theme=dark;${pair}`),
    found('a bad one after it', `${cookies}; session=x; session.sig=y`),
    found('an older key', `${pair}; ${olderSig}`),
    found('in double quotes', `session="${pair.slice('session='.length)}"; ${sig}`),
    found('a session without a user', signed('{"views":1}')),
    await withApp('SHA-256', { ...APP, hash: 'sha256' }),
    await withApp('another name', { ...APP, cookie: 'app.session' }),
    await withApp('a user who is not ASCII', APP, 'Zoë ☃'),
    await withApp('a user who is an object', APP, { id: 42, roles: ['admin'] }),
    await withApp('the user 0', APP, 0),

    none('no cookies', undefined),
    none('without its signature', pair),
    none('the signature alone', sig),
    none('an empty signature', `${pair}; session.sig=`),
    none('another session', `session=A${pair.slice('session='.length + 1)}; ${sig}`),
    none('without its padding', `${pair.replaceAll('=', '').replace('session', 'session=')}; ${sig}`),
    none('encoded', `${pair.replace(/=$/, '%3D')}; ${sig}`),
    none('padding after the signature', `${cookies}=`),
    none('spaces around the =', `${pair.replace('=', ' = ')}; ${sig}`),
    none('a bad one before it', `session=x; ${cookies}`),
    none('a bad signature before it', `session.sig=x; ${cookies}`),
    none('another case', cookies.replaceAll('session', 'Session')),
    none('another key', cookies, { app: { ...APP, keys: ['key3'] } }),
    none('the other hash', cookies, { app: { ...APP, hash: 'sha256' } }),
    none('the signature of another name', cookies.replaceAll('session', 'sessiom'), {
      app: { ...APP, cookie: 'sessiom' },
    }),
    none('signed, and no JSON', signed('{"passport":')),
  ]);
}
