import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { KINDS, secretsFor, tamperings } from '../lib/kinds.mjs';
import { demoBinary, unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startAppOfKind, startDemo } from '../lib/servers.mjs';
import { eventually } from '../lib/wait.mjs';
import { assertGranted, assertRefused, member } from '../lib/verdicts.mjs';

// A cookie's date has whole seconds: with less than one, a browser might never send it.
const SHORT_MS = 1_200;
const LONG_AGO = new Date(0).toISOString();

for (const sessions of KINDS) {
  const { name, kind, cookieName, inRedis, oneSecret, args = [], afterLogout } = sessions;
  const needs = inRedis ? ['demo', 'redis'] : ['demo'];

  describe(`sessions of ${name}`, { skip: unless(...needs) }, () => {
    const secrets = secretsFor(sessions);
    const [secret, older] = secrets;
    // It finds the cookie, the records and the user's key by itself.
    const demoOptions = { cookieName: undefined, args: ['--kind', kind, ...args] };
    let house;
    let demo;

    before(async () => {
      house = await House.ofKind({ kind, inRedis, cookieName, secrets, args });
      demo = await house.open(startDemo, demoOptions);
    });
    afterEach(hangUp);
    after(() => house?.close());

    async function assertKnown(cookie, key, lane = {}) {
      const me = await house.app.me(cookie);
      assert.deepEqual({ status: me.status, key: me.key }, { status: 200, key });
      await assertGranted(demo, { ...lane, cookie }, member(key));
    }

    // The app is asked second: it may drop what it does not want to see again.
    async function assertUnknown(cookie, code) {
      await assertRefused(demo, { cookie }, { message: 'unauthorized', code });
      assert.deepEqual(await house.app.me(cookie), { status: 401, user: null });
    }

    for (const transport of ['websocket', 'polling']) {
      test(`over ${transport}: a user who logged in at the app is known`, async () => {
        await assertKnown((await house.login('ann')).cookie, 42, { transport });
      });
    }

    test('the user whose key is 0 is a user', async () => {
      await assertKnown((await house.login('zero')).cookie, 0);
    });

    test('a user whose key is an object is known by it', async () => {
      await assertKnown((await house.login('olga')).cookie, { provider: 'ldap', dn: 'cn=olga' });
    });

    test('a visitor without a session cookie is refused', async () => {
      await assertUnknown(undefined, 'no_session_cookie');
      await assertUnknown('theme=dark', 'no_session_cookie');
    });

    test('a visitor with a session but no login is refused', async () => {
      await assertUnknown((await house.app.visitor().visit()).cookie, 'not_logged_in');
    });

    test('a tampered cookie is refused', async (t) => {
      const { cookie } = await house.login('ann');
      for (const [what, tampered, code] of tamperings(sessions, cookie)) {
        await t.test(what, () => assertUnknown(tampered, code));
      }
      await assertKnown(cookie, 42);
    });

    if (!oneSecret) {
      test('a cookie of the older key is good, until the app drops that key', async () => {
        const app = await house.open(startAppOfKind, { secrets: [older], args });
        const { cookie } = await app.visitor().login('bob');
        await assertKnown(cookie, 7);

        const laterApp = await house.open(startAppOfKind, { secrets: [secret], args });
        const laterDemo = await house.open(startDemo, { ...demoOptions, secrets: [secret] });
        await assertRefused(laterDemo, { cookie }, { message: 'unauthorized', code: 'bad_signature' });
        assert.equal((await laterApp.me(cookie)).status, 401);
      });
    }

    test('a cookie of a foreign key is refused', async () => {
      const app = await house.open(startAppOfKind, { secrets: secretsFor(sessions), args });
      await assertUnknown((await app.visitor().login('bob')).cookie, 'bad_signature');
    });

    test('the cookie that a browser has after the logout is refused', async () => {
      const visitor = await (await house.login('ann')).logout();
      await assertUnknown(visitor.cookie, afterLogout);
    });

    if (inRedis) {
      test('the cookie from before the logout is refused', async () => {
        const visitor = await house.login('ann');
        const { cookie } = visitor;
        await visitor.logout();
        await assertUnknown(cookie, 'session_not_found');
      });
    } else {
      test('the cookie from before the logout is still good, for the app as well', async () => {
        const visitor = await house.login('ann');
        const { cookie } = visitor;
        await visitor.logout();
        assert.notEqual(visitor.cookie, cookie);
        await assertKnown(cookie, 42);
      });
    }

    if (kind === 'koa') {
      test('an expired session is refused', async () => {
        const app = await house.open(startAppOfKind, { maxAge: SHORT_MS });
        const { cookie } = await app.visitor().login('ann');
        await eventually(async () => (await house.app.me(cookie)).status === 401, 'the session to end');
        await assertUnknown(cookie, 'session_expired');
      });
    }

    if (kind === 'fastify-secure') {
      test('a session is refused only when it is older than its expiry', async () => {
        const expiry = oneSecret ? 900 : 86_401;
        const login = async (behind) => {
          const app = await house.open(startAppOfKind, { args, behind });
          return (await app.visitor().login('ann')).cookie;
        };
        await assertUnknown(await login(expiry + 1), 'session_expired');
        await assertKnown(await login(expiry - 60), 42);
      });
    }

    if (kind === 'fastify' || kind === 'koa-generic') {
      const ends = kind === 'fastify';
      test(`a date in the record that has passed ${ends ? 'ends' : 'does not end'} the session`, async () => {
        const { cookie } = await house.login('ann');
        await overwriteDate(house.redis, LONG_AGO);
        await (ends ? assertUnknown(cookie, 'session_expired') : assertKnown(cookie, 42));
      });
    }

    test('doctor grants what the demo grants', async () => {
      const { cookie } = await house.login('ann');
      const store = house.store ? ['--store', house.store] : [];
      const options = ['--kind', kind, ...args, ...store, '--secret', secret];
      const command = ['doctor', ...options, '--header', `Cookie: ${cookie}`];
      const { code, stdout, stderr } = await runToItsEnd(demoBinary, command);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /granted: the user key is 42/);
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}

/** Gives every record in Redis this date, and leaves it the time that Redis gives it. */
async function overwriteDate(redis, expires) {
  for (const key of await redis.command('KEYS', '*')) {
    const record = JSON.parse(await redis.command('GET', key));
    record.cookie.expires = expires;
    await redis.command('SET', key, JSON.stringify(record), 'KEEPTTL');
  }
}
