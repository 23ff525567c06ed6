/** koa-generic-session on Koa 3 and koa-redis. */

import { versions } from '../../differential/packages.mjs';
import { createApp } from '../apps/koa-generic.mjs';
import { answered, leftBy, login } from '../sessions.mjs';

export const madeBy = () => ({
  ...versions('koa-generic-session'),
  ...versions('koa-redis'),
  ...versions('koa', {}, ['cookies', 'keygrip']),
});

const APP = { kind: 'koa-generic', cookie: 'koa.sid', keys: ['kk1', 'kk2'], hash: 'sha1' };

export async function vectors() {
  const { cookies, stored } = await leftBy(createApp, APP, login(42));
  const found = (name, header, given) => ({
    name,
    app: APP,
    cookies: header,
    stored,
    session: 'found',
    ...given,
  });
  const none = (name, header, given) => ({ ...found(name, header, given), session: 'new' });
  const withApp = async (name, app) => {
    const left = await leftBy(createApp, app, login(42));
    return found(name, left.cookies, { app });
  };

  return answered(createApp, [
    found('as it was set', cookies),
    found('an older key', cookies, { app: { ...APP, keys: ['new', 'kk1'] } }),
    await withApp('SHA-256', { ...APP, hash: 'sha256' }),
    await withApp('another name', { ...APP, cookie: 'app.sid' }),

    none('no cookies', undefined),
    none('without its signature', cookies.split('; ')[0]),
    none('another session id', cookies.replace('koa.sid=', 'koa.sid=A')),
    none('another signature', `${cookies}A`),
    none('a bad one before it', `koa.sid=x; ${cookies}`),
    none('another key', cookies, { app: { ...APP, keys: ['kk3'] } }),
    none('the store has nothing', cookies, { stored: undefined }),
    none('the store has no JSON', cookies, { stored: stored.slice(0, -1) }),
  ]);
}
