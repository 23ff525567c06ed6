import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { runToItsEnd } from './children.mjs';
import { hangUp } from './clients.mjs';
import { randomSid } from './cookies.mjs';
import { House } from './house.mjs';
import { liveSteps } from './live-steps.mjs';
import { OurStore } from './our-store.mjs';
import { demoBinary, unless } from './requirements.mjs';
import { assertNothingLeaked } from './secrecy.mjs';
import { startApp, startDemo } from './servers.mjs';
import { assertGranted, assertRefused, member } from './verdicts.mjs';
import { eventually } from './wait.mjs';

// A cookie's date has whole seconds: with less, a browser might never send it.
const SHORT_MS = 1_200;
const HOUR_MS = 3_600_000;

/**
 * Node writes and Rust reads, and the other way: the steps for every store, with the real npm
 * package under a real express-session + Passport app.
 *
 * - `name`: of the suite
 * - `needs`: names of `lib/requirements.mjs`
 * - `start`: makes the real server (and what the layout needs there); `{ storeUrl, close }`
 * - `demoArgs`: more options for demo and doctor
 * - `resolutionMs`: how exactly the layout keeps the moment of expiry
 * - `touches`: whether the npm package prolongs a session that a request has only read
 * - `nodeMindsExpiry`: whether the npm package itself refuses a session past its time
 * - `can`: what our store can do there
 * - `more`: more tests on the same house; gets what the steps get
 */
export function storeSteps({
  name,
  needs = [],
  start,
  demoArgs = [],
  resolutionMs = 1,
  touches = true,
  nodeMindsExpiry = true,
  can: { touch = true, destroy = true } = {},
  more = () => {},
}) {
  describe(`sessions of ${name}`, { skip: unless('demo', 'sessionStore', ...needs) }, () => {
    const shortMs = SHORT_MS + 2 * resolutionMs;
    const world = {};
    let backend;
    let house;
    let demo;
    let ours;
    let brief;

    before(async () => {
      backend = await start();
      house = await House.onStore(backend.storeUrl);
      brief = await house.open(startApp, { maxAge: shortMs });
      demo = await house.open(startDemo, { args: demoArgs });
      ours = await OurStore.open(backend.storeUrl);
      Object.assign(world, { backend, house, demo, ours, brief });
    });
    afterEach(hangUp);
    after(async () => {
      await ours?.close();
      await house?.close();
      await backend?.close();
    });

    const assertKnown = async (cookie, key) => {
      await assertGranted(demo, { cookie }, member(key));
      const me = await house.app.me(cookie);
      assert.deepEqual({ status: me.status, key: me.key }, { status: 200, key });
    };
    // The app is asked last: its answer may touch what it still accepts as a session.
    const assertUnknown = async (cookie, code) => {
      await assertRefused(demo, { cookie }, { message: 'unauthorized', code });
      assert.deepEqual(await house.app.me(cookie), { status: 401, user: null });
    };
    const leftMs = async (sid) => (await ours.load(sid)).left_ms;

    for (const [user, key] of [
      ['ann', 42],
      ['zero', 0],
      ['olga', { provider: 'ldap', dn: 'cn=olga' }],
    ]) {
      test(`a user who logged in at the app is known: ${user}`, async () => {
        await assertKnown((await house.login(user)).cookie, key);
      });
    }

    test('doctor grants what the demo grants', async () => {
      const { cookie } = await house.login('ann');
      const args = ['doctor', '--store', house.store, '--secret', house.secret, ...demoArgs];
      const { code, stdout, stderr } = await runToItsEnd(demoBinary, [...args, '--header', `Cookie: ${cookie}`]);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /granted: the user key is 42/);
    });

    test('a visitor without a login is refused', async () => {
      await assertUnknown((await house.app.visitor().visit()).cookie, 'not_logged_in');
    });

    test('an id that was never issued is refused', async () => {
      assert.equal(await ours.load(randomSid()), null);
    });

    test('a user whose session data changes is still known, with the change', async () => {
      const { cookie, sid } = await (await house.login('ann')).visit();
      assert.equal(JSON.parse((await ours.load(sid)).payload).views, 1);
      await assertKnown(cookie, 42);
    });

    test('the session lives as long as the app said', async () => {
      const { sid } = await house.login('ann');
      const left = await leftMs(sid);
      const inexact = 1_000 + resolutionMs;
      assert.ok(left <= HOUR_MS + inexact && left > HOUR_MS - 30_000 - inexact, `${left} ms are left`);
    });

    test(`a ${touches ? 'request' : 'change'} at the app prolongs the session`, async () => {
      const visitor = await house.login('ann');
      const first = await leftMs(visitor.sid);
      const before = await eventually(async () => {
        const left = await leftMs(visitor.sid);
        return left < first - 2 * resolutionMs - 100 && left;
      }, 'some time to go by');
      await (touches ? house.app.me(visitor.cookie) : visitor.visit());
      // Some packages answer the request before the store has written.
      await eventually(async () => (await leftMs(visitor.sid)) > before + resolutionMs, 'a longer life');
      await assertKnown(visitor.cookie, 42);
    });

    test('a user who has logged out is refused', async () => {
      const visitor = await house.login('ann');
      const { cookie } = visitor;
      await visitor.logout();
      await assertUnknown(cookie, 'session_not_found');
    });

    const OVER = ['session_expired', 'session_not_found'];

    if (nodeMindsExpiry) {
      test('when a session has expired here, it has expired for the app', async () => {
        const { cookie, sid } = await brief.visitor().login('ann');
        assert.ok(await ours.isAlive(sid));
        await eventually(async () => !(await ours.isAlive(sid)), 'the session to end', shortMs + 10_000);
        assert.equal(await house.app.stored(sid), null);
        await assertUnknown(cookie, OVER);
      });

      test('when a session has expired for the app, it has expired here', async () => {
        const { cookie, sid } = await brief.visitor().login('ann');
        assert.ok(await house.app.stored(sid));
        const over = async () => (await house.app.stored(sid)) === null;
        await eventually(over, 'the session to end', shortMs + 10_000);
        assert.equal(await ours.isAlive(sid), false);
        await assertUnknown(cookie, OVER);
      });
    } else {
      test('an expired session is refused, though the app would accept it', async () => {
        const { cookie, sid } = await brief.visitor().login('ann');
        assert.ok(await ours.isAlive(sid));
        await eventually(async () => !(await ours.isAlive(sid)), 'the session to end', shortMs + 10_000);
        assert.ok(await house.app.stored(sid));
        await assertRefused(demo, { cookie }, { message: 'unauthorized', code: OVER });
      });
    }

    test('many sessions are loaded at once, in order, with gaps', async () => {
      const [ann, bob] = [await house.login('ann'), await house.login('bob')];
      const sessions = await ours.loadMany([bob.sid, randomSid(), ann.sid, bob.sid]);
      const keys = sessions.map((session) => session && JSON.parse(session.payload).passport.user);
      assert.deepEqual(keys, [7, null, 42, 7]);
    });

    if (touch) {
      test('a session that is touched here lives on in Node', async () => {
        const { cookie, sid } = await brief.visitor().login('ann');
        assert.equal(await ours.touch(sid, 600), true);
        const left = await leftMs(sid);
        assert.ok(left > 590_000 - resolutionMs && left <= 600_000 + 2 * resolutionMs, `${left} ms are left`);
        // Another session of the same age shows that the time is over.
        const other = await brief.visitor().login('bob');
        await eventually(async () => !(await ours.isAlive(other.sid)), 'the other to end', shortMs + 10_000);
        assert.ok(await house.app.stored(sid));
        await assertKnown(cookie, 42);
      });
    }

    if (destroy) {
      test('a session that is destroyed here is gone for Node', async () => {
        const { cookie, sid } = await house.login('ann');
        assert.equal(await ours.destroy(sid), true);
        assert.equal(await house.app.stored(sid), null);
        await assertUnknown(cookie, 'session_not_found');
        assert.equal(await ours.destroy(sid), false);
      });
    }

    test('after a logout, no call here brings the session back', async () => {
      const visitor = await house.login('ann');
      const { sid } = visitor;
      assert.ok(await ours.load(sid));
      await visitor.logout();
      if (touch) assert.equal(await ours.touch(sid, 600), false);
      assert.equal(await house.app.stored(sid), null);
      assert.equal(await ours.load(sid), null);
    });

    liveSteps(world, { demoArgs, resolutionMs, touches, nodeMindsExpiry, shortMs });
    more(world);

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}
