import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { startAppOnPassport, startDemo } from './servers.mjs';
import { EXPIRED, LOGGED_OUT, openTab } from './tabs.mjs';

const MAX_STALE_MS = 1_000;
const EXPIRY_MS = 1_000;
// The delay from the server to a client's handlers, on a busy machine.
const DELIVERY_MS = 500;

/** When the login ends, the connection ends: with every store. Takes the world of `storeSteps`, and its settings. */
export function liveSteps(world, settings) {
  const { demoArgs, resolutionMs, touches, nodeMindsExpiry, shortMs } = settings;
  describe('live sessions', () => {
    let quick;
    let patient;

    before(async () => {
      const open = (maxStale) => world.house.open(startDemo, { args: [...demoArgs, '--max-stale', maxStale] });
      quick = await open(`${MAX_STALE_MS}ms`);
      // Neither the sweep nor anything else looks up a session before it expires.
      patient = await open('60s');
    });

    const bobsTab = async (demo) => openTab(demo, { cookie: (await world.house.login('bob')).cookie, key: 7 });

    /** On this process' clock, as exactly as the store returns it; reading it touches nothing. */
    async function endOf({ sid }) {
      const { payload, left_ms: left } = await world.ours.load(sid);
      return performance.now() + (left ?? Date.parse(JSON.parse(payload).cookie.expires) - Date.now());
    }

    async function assertEndsWith(tab, { sid }, end) {
      const late = (await tab.ended(EXPIRED, shortMs + 10_000)) - end;
      assert.ok(late > -resolutionMs - 2 && late < EXPIRY_MS, `closed ${Math.round(late)} ms after the session's end`);
      if (nodeMindsExpiry) assert.equal(await world.house.app.stored(sid), null);
    }

    const LOGOUTS = {
      'a logout destroys the session': async () => {
        const ann = await world.house.login('ann');
        return { ann, logout: () => ann.logout() };
      },
      'a logout of Passport 0.5 leaves a session without its user': async () => {
        const old = await world.house.open(startAppOnPassport, { passport: 'passport-0.5' });
        const ann = await old.visitor().post('/login', { key: 42 });
        return { ann, logout: () => ann.post('/logout', {}), leaves: true };
      },
    };
    for (const [story, logIn] of Object.entries(LOGOUTS)) {
      test(`${story}: its sockets close within max_stale, and no others`, async () => {
        const { ann, logout, leaves = false } = await logIn();
        const tabs = [await openTab(quick, ann), await openTab(quick, ann)];
        const other = await bobsTab(quick);
        const { sid } = ann;
        await logout();
        const ended = performance.now();
        for (const tab of tabs) {
          const late = (await tab.ended(LOGGED_OUT)) - ended;
          assert.ok(late < MAX_STALE_MS + DELIVERY_MS, `closed ${Math.round(late)} ms after the logout`);
        }
        assert.equal((await world.ours.load(sid)) !== null, leaves);
        await other.assertOpen();
      });
    }

    test(`a session that ends closes its sockets within ${EXPIRY_MS} ms, with no traffic`, async () => {
      const other = await bobsTab(patient);
      const ann = await world.brief.visitor().login('ann');
      const tab = await openTab(patient, ann);
      await assertEndsWith(tab, ann, await endOf(ann));
      await other.assertOpen();
    });

    test('a session that the app prolongs keeps its sockets', async () => {
      const ann = await world.brief.visitor().login('ann');
      const bob = await world.brief.visitor().login('bob');
      const tab = await openTab(patient, ann);
      const control = await openTab(patient, { cookie: bob.cookie, key: 7 });
      const first = await endOf(ann);
      // Long enough for the layout's clock to have moved on.
      await new Promise((resolve) => setTimeout(resolve, resolutionMs + 200));
      await (touches ? world.brief.me(ann.cookie) : ann.visit());
      await control.ended(EXPIRED, shortMs + 10_000);
      const later = await endOf(ann);
      assert.ok(later > first + 100, 'prolonged');
      await tab.assertOpen();
      await assertEndsWith(tab, ann, later);
    });
  });
}
