import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startAppOnPassport, startDemo } from '../lib/servers.mjs';
import { assertGranted, assertRefused, member } from '../lib/verdicts.mjs';

// `stranger`: what is in the record of a visitor who never logged in. `regenerates`: login and logout give the
// visitor another session id, and end the session under the one before. `leaves`: what logout leaves of the
// user in the record that the visitor then has.
const UP_TO_5 = { stranger: undefined, regenerates: false, leaves: {} };
const FROM_6 = { stranger: undefined, regenerates: true, leaves: undefined };
const PASSPORTS = [
  { passport: 'passport-0.2', version: '0.2.2', ...UP_TO_5, stranger: {} },
  { passport: 'passport-0.3', version: '0.3.2', ...UP_TO_5 },
  { passport: 'passport-0.4', version: '0.4.1', ...UP_TO_5 },
  { passport: 'passport-0.5', version: '0.5.3', ...UP_TO_5 },
  { passport: 'passport-0.6', version: '0.6.0', ...FROM_6 },
  { passport: 'passport', version: '0.7.0', ...FROM_6 },
];

const USERS = [
  ...[0, 42, -1.5, '0', ' ', 'ann', 'Zoë ☃ 日本語 😀', '\u0000"\\\n', 'false', 'null', true],
  ...[{}, { provider: 'ldap', dn: 'cn=olga' }, { id: null }, [], [0], ['a', 1, { b: false }]],
];
const NO_USERS = ['', null, false];

const NOT_LOGGED_IN = { message: 'unauthorized', code: 'not_logged_in' };
const NO_COOKIE = { message: 'unauthorized', code: 'no_session_cookie' };
const NO_SESSION = { message: 'unauthorized', code: 'session_not_found' };

describe('Passport 0.2 to 0.7', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const { passport, version, stranger, regenerates, leaves } of PASSPORTS) {
    describe(`Passport ${version}`, () => {
      let app;

      before(async () => {
        app = await house.open(startAppOnPassport, { passport });
      });

      async function assertKnown({ cookie }, key) {
        const me = await app.me(cookie);
        assert.deepEqual({ status: me.status, key: me.key }, { status: 200, key });
        await assertGranted(demo, { cookie }, member(key));
      }

      async function assertUnknown({ cookie }, refusal) {
        await assertRefused(demo, { cookie: cookie || undefined }, refusal);
        assert.equal((await app.me(cookie)).status, 401);
      }

      const recordOf = async ({ sid }) => JSON.parse(await house.redis.command('GET', `sess:${sid}`));
      const viewsOf = async ({ cookie }) => (await app.me(cookie)).views;

      async function post(visitor, path, body) {
        const headers = { 'content-type': 'application/json' };
        const { status } = await visitor.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
        return status;
      }

      async function login(key, { visitor = app.visitor(), keepSessionInfo } = {}) {
        assert.equal(await post(visitor, '/login', { key, keepSessionInfo }), 200);
        return visitor;
      }

      const logout = async (visitor, { keepSessionInfo } = {}) =>
        assert.equal(await post(visitor, '/logout', { keepSessionInfo }), 204);

      test('is the version in its name', async () => {
        const response = await fetch(new URL('/version', app.url));
        assert.deepEqual(await response.json(), { version });
      });

      test('a visitor who only calls /me is refused', async () => {
        const visitor = app.visitor();
        await visitor.request('/me');
        assert.equal(visitor.cookie !== '', stranger !== undefined, 'has a session already');
        await assertUnknown(visitor, stranger ? NOT_LOGGED_IN : NO_COOKIE);
      });

      test('a visitor with a session and no login is refused', async () => {
        const visitor = await app.visitor().visit();
        assert.deepEqual((await recordOf(visitor)).passport, stranger);
        await assertUnknown(visitor, NOT_LOGGED_IN);
      });

      test(`a login ${regenerates ? 'begins a new session' : 'stays in the session'}`, async () => {
        const visitor = await app.visitor().visit();
        const before = { cookie: visitor.cookie };
        await login(42, { visitor });
        assert.deepEqual((await recordOf(visitor)).passport, { user: 42 });
        assert.equal(visitor.cookie !== before.cookie, regenerates);
        assert.equal(await viewsOf(visitor), regenerates ? undefined : 1);
        await assertKnown(visitor, 42);
        if (regenerates) await assertUnknown(before, NO_SESSION);
      });

      test('a login with keepSessionInfo keeps the content of the session', async () => {
        const visitor = await app.visitor().visit();
        const before = { cookie: visitor.cookie };
        await login(42, { visitor, keepSessionInfo: true });
        assert.equal(visitor.cookie !== before.cookie, regenerates);
        assert.equal(await viewsOf(visitor), 1);
        await assertKnown(visitor, 42);
        if (regenerates) await assertUnknown(before, NO_SESSION);
      });

      test('a second login replaces the first', async () => {
        const visitor = await login('ann');
        await login('bob', { visitor });
        await assertKnown(visitor, 'bob');
      });

      test(`a logout ${regenerates ? 'ends the session' : 'stays in the session'}`, async () => {
        const visitor = await login(42);
        const before = { cookie: visitor.cookie };
        await logout(visitor);
        await assertUnknown(before, regenerates ? NO_SESSION : NOT_LOGGED_IN);
        assert.equal(visitor.cookie !== before.cookie, regenerates);
        assert.deepEqual((await recordOf(visitor)).passport, leaves);
        await assertUnknown(visitor, NOT_LOGGED_IN);
      });

      test('a logout with keepSessionInfo leaves a session without a login', async () => {
        const visitor = await login(42);
        await visitor.visit();
        const before = { cookie: visitor.cookie };
        await logout(visitor, { keepSessionInfo: true });
        assert.equal(visitor.cookie !== before.cookie, regenerates);
        assert.equal(await viewsOf(visitor), 1);
        assert.deepEqual((await recordOf(visitor)).passport, {});
        await assertUnknown(visitor, NOT_LOGGED_IN);
        if (regenerates) await assertUnknown(before, NO_SESSION);
      });

      test('a login after the logout is valid', async () => {
        const visitor = await login(42);
        await logout(visitor);
        await login(7, { visitor });
        await assertKnown(visitor, 7);
      });

      for (const key of USERS) {
        test(`${JSON.stringify(key)} is a user`, async () => {
          await assertKnown(await login(key), key);
          await assertKnown({ cookie: await house.plant(recordWith(key)) }, key);
        });
      }

      for (const key of NO_USERS) {
        test(`${JSON.stringify(key)} is no user`, async () => {
          const visitor = app.visitor();
          assert.equal(await post(visitor, '/login', { key }), 500, 'Passport refuses to serialize it');
          await assertUnknown(visitor, visitor.cookie ? NOT_LOGGED_IN : NO_COOKIE);
          await assertUnknown({ cookie: await house.plant(recordWith(key)) }, NOT_LOGGED_IN);
        });
      }
    });
  }

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

/** As a `serializeUser` of any sort may have left it. */
const recordWith = (user) => JSON.stringify({ cookie: { originalMaxAge: null, path: '/' }, passport: { user } });
