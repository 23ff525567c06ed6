import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startApp, startDemo } from '../lib/servers.mjs';
import { EXPIRED, openTab } from '../lib/tabs.mjs';

const LIFE_MS = 2_000;
const PROMISE_MS = 1_000;
// Other sessions: Redis announces an expiry only when it comes across it among all these.
const OTHERS = 100_000;

// Neither the sweep nor anything else looks up the session before it expires.
const ARGS = ['--max-stale', '60s'];

for (const { name, crowded = false, demoStore = (store) => store } of [
  { name: 'Redis' },
  { name: 'a Redis that does not announce changes', demoStore: (store) => `${store}?protocol=resp2` },
  { name: `a Redis with ${OTHERS} other volatile keys`, crowded: true },
]) {
  describe(`a session of ${LIFE_MS} ms, in ${name}`, { skip: unless('demo', 'redis') }, () => {
    let house;
    let app;
    let demo;

    before(async () => {
      house = await House.onRedis();
      app = await house.open(startApp, { maxAge: LIFE_MS });
      demo = await house.open(startDemo, { store: demoStore(house.store), args: ARGS });
      if (crowded) {
        const fill = `for i = 1, ${OTHERS} do redis.call('SET', 'other:' .. i, 'x', 'EX', 3600) end`;
        await house.redis.command('EVAL', fill, '0');
      }
    });
    afterEach(hangUp);
    after(() => house?.close());

    /** When Redis refuses it, on this process' clock. Nothing is touched by asking. */
    async function endOf({ sid }) {
      const epochMs = Number(await house.redis.command('PEXPIRETIME', `sess:${sid}`));
      assert.ok(epochMs > 0, 'the session is there, and ends');
      return performance.now() + epochMs - Date.now();
    }

    async function assertEndsWith(tab, visitor, end) {
      const late = (await tab.ended(EXPIRED, LIFE_MS + 10_000)) - end;
      // Clocks have whole milliseconds.
      assert.ok(late > -2 && late < PROMISE_MS, `closed ${Math.round(late)} ms after the session's end`);
      assert.deepEqual(await app.me(visitor.cookie), { status: 401, user: null });
    }

    test(`closes its sockets within ${PROMISE_MS} ms of its end, with no traffic`, async () => {
      const ann = await app.visitor().login('ann');
      const tab = await openTab(demo, ann);
      const stays = await openTab(demo, { cookie: (await house.login('bob')).cookie, key: 7 });
      await assertEndsWith(tab, ann, await endOf(ann));
      await stays.assertOpen();
    });

    test('lives longer when the app touches it, and so do its sockets', async () => {
      const [ann, bob] = [await app.visitor().login('ann'), await app.visitor().login('bob')];
      const [tab, control] = [await openTab(demo, ann), await openTab(demo, { cookie: bob.cookie, key: 7 })];
      const first = await endOf(bob);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, first - performance.now() - LIFE_MS / 2)));
      assert.equal((await app.me(ann.cookie)).status, 200);
      const later = await endOf(ann);
      assert.ok(later > first + LIFE_MS / 4, 'touched');
      await assertEndsWith(control, bob, first);
      await tab.assertOpen();
      await assertEndsWith(tab, ann, later);
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}
