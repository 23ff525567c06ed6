/** koa-session on Koa 3: in the cookie, and in a store. */

import { versions } from '../../differential/packages.mjs';
import { createApp } from '../apps/koa.mjs';
import { START } from '../clock.mjs';
import { answered, leftBy, login } from '../sessions.mjs';

export const madeBy = () => ({
  'koa-session': [versions('koa-session')['koa-session'], versions('koa-session-5')['koa-session']],
  ...versions('koa', {}, ['cookies', 'keygrip']),
});

const IN_COOKIE = { kind: 'koa', cookie: 'koa.sess', keys: ['kk1', 'kk2'], hash: 'sha1', in_store: false };
const IN_STORE = { ...IN_COOKIE, in_store: true };
const ONE_DAY = 24 * 60 * 60 * 1000;
const TEN_YEARS = 3650 * ONE_DAY;

export async function vectors() {
  return [...(await inCookie()), ...(await inStore())];
}

async function inCookie() {
  const { cookies } = await leftBy(createApp, IN_COOKIE, login(42));
  const found = (name, header, given) => ({
    name: `in the cookie: ${name}`,
    app: IN_COOKIE,
    cookies: header,
    session: 'found',
    ...given,
  });
  const none = (name, header, given) => ({ ...found(name, header, given), session: 'new' });
  const withApp = async (name, app) => {
    const left = await leftBy(createApp, app, login(42));
    return found(name, left.cookies, { app });
  };
  const unending = await leftBy((app, record) => createApp(app, record, 'session'), IN_COOKIE, login(42));

  return answered(createApp, [
    found('as it was set', cookies),
    found('in its last millisecond', cookies, { at: START + ONE_DAY }),
    found('ten years later, as maxAge is session', unending.cookies, { at: START + TEN_YEARS }),
    found('an older key', cookies, { app: { ...IN_COOKIE, keys: ['new', 'kk1'] } }),
    await withApp('SHA-256', { ...IN_COOKIE, hash: 'sha256' }),
    await withApp('the name of koa-session 5', { ...IN_COOKIE, cookie: 'koa:sess' }),

    none('a millisecond later', cookies, { at: START + ONE_DAY + 1 }),
    none('without its signature', cookies.split('; ')[0]),
    none('another session', cookies.replace('koa.sess=e', 'koa.sess=f')),
    none('a bad one before it', `koa.sess=x; ${cookies}`),
    none('another key', cookies, { app: { ...IN_COOKIE, keys: ['kk3'] } }),
  ]);
}

async function inStore() {
  const { cookies, stored } = await leftBy(createApp, IN_STORE, login(42));
  const found = (name, header, given) => ({
    name: `in a store: ${name}`,
    app: IN_STORE,
    cookies: header,
    stored,
    session: 'found',
    ...given,
  });
  const none = (name, header, given) => ({ ...found(name, header, given), session: 'new' });
  const named = { ...IN_STORE, cookie: 'koa:sess' };

  return answered(createApp, [
    found('as it was set', cookies),
    found('in its last millisecond', cookies, { at: START + ONE_DAY }),
    found('the name of koa-session 5', (await leftBy(createApp, named, login(42))).cookies, { app: named }),

    none('a millisecond later', cookies, { at: START + ONE_DAY + 1 }),
    none('the store has nothing', cookies, { stored: undefined }),
    none('without its signature', cookies.split('; ')[0]),
    none('another key in the cookie', cookies.replace('koa.sess=f', 'koa.sess=e')),
    none('another key', cookies, { app: { ...IN_STORE, keys: ['kk3'] } }),
  ]);
}
