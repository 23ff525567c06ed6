import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { ask, connect, hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { ledger } from '../lib/ledger.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startAppOnPassport, startDemo } from '../lib/servers.mjs';
import { executeSql } from '../lib/sqlite.mjs';
import { LAST_WORDS_MS, LOGGED_OUT, USER_CHANGED, openGuestTab, openTab } from '../lib/tabs.mjs';
import { within } from '../lib/wait.mjs';
import { openWire } from '../lib/wire.mjs';

// The delay from the server to a client's handlers, on a busy machine.
const DELIVERY_MS = 500;

// `withinMs`: of the app's answer to the logout. A feed takes less than the sweep's first lookup; after a change
// of everything at once, the server looks up one session after the other, within a third of max_stale.
const WAYS = [
  {
    name: 'Redis announces it',
    needs: ['redis'],
    open: () => House.onRedis(),
    maxStale: '6s',
    withinMs: 2_000,
    allWithinMs: 2_000 + DELIVERY_MS,
    destroy: (house, sid) => house.redis.command('DEL', `sess:${sid}`),
    destroyAll: (house) => house.redis.command('FLUSHALL'),
  },
  {
    name: 'the sweep finds it, in a Redis without a feed',
    needs: ['redis'],
    open: () => House.onRedis(),
    demoStore: (store) => `${store}?protocol=resp2`,
    maxStale: '1s',
    withinMs: 1_000 + DELIVERY_MS,
    destroy: (house, sid) => house.redis.command('DEL', `sess:${sid}`),
    destroyAll: (house) => house.redis.command('FLUSHALL'),
  },
  {
    name: 'the sweep finds it, in SQLite',
    needs: [],
    open: () => House.onSqlite(),
    maxStale: '1s',
    withinMs: 1_000 + DELIVERY_MS,
    destroy: (house, sid) => executeSql(house.databasePath, 'DELETE FROM sessions WHERE sid = ?', [sid]),
    destroyAll: (house) => executeSql(house.databasePath, 'DELETE FROM sessions'),
  },
];

const LANES = [
  { client: '4', transport: 'websocket' },
  { client: '4', transport: 'polling' },
  { client: '4', transport: 'upgrade' },
  { client: '3', transport: 'upgrade' },
  { client: '2.5', transport: 'upgrade' },
];

for (const { name, needs, open, demoStore = (store) => store, maxStale, withinMs, ...way } of WAYS) {
  const { allWithinMs = withinMs, destroy, destroyAll } = way;
  describe(`a login that ends: ${name}`, { skip: unless('demo', ...needs) }, () => {
    let house;
    let demo;

    before(async () => {
      house = await open();
      demo = await house.open(startDemo, { store: demoStore(house.store), args: ['--max-stale', maxStale] });
    });
    afterEach(hangUp);
    after(() => house?.close());

    async function assertEnds(tabs, end, notice = LOGGED_OUT, ms = withinMs) {
      await end();
      const ended = performance.now() + (notice.reconnect ? LAST_WORDS_MS : 0);
      for (const tab of tabs) {
        const late = (await tab.ended(notice, ms + 5_000)) - ended;
        assert.ok(late < ms, `closed ${Math.round(late)} ms after the login's end`);
      }
    }

    for (const { client, transport } of LANES) {
      test(`client ${client} over ${transport}: a logout closes that user's sockets, and no others`, async () => {
        const [ann, again, bob] = [await house.login('ann'), await house.login('ann'), await house.login('bob')];
        const [first, second] = [
          await openTab(demo, { client, transport, cookie: ann.cookie }),
          await openTab(demo, { client, transport, cookie: ann.cookie }),
        ];
        const others = [
          await openTab(demo, { client, transport, cookie: again.cookie }),
          await openTab(demo, { client, transport, cookie: bob.cookie, key: 7 }),
          await openGuestTab(demo),
        ];
        await assertEnds([first, second], () => ann.logout());
        for (const other of others) await other.assertOpen();
      });
    }

    test('a session that is destroyed by hand is a logout', async () => {
      const [ann, bob] = [await house.login('ann'), await house.login('bob')];
      const [tab, other] = [await openTab(demo, ann), await openTab(demo, { cookie: bob.cookie, key: 7 })];
      await assertEnds([tab], () => destroy(house, ann.sid));
      await other.assertOpen();
    });

    test('when all sessions are destroyed, all users are logged out, guests stay', async () => {
      const [ann, bob] = [await house.login('ann'), await house.login('bob')];
      const tabs = [await openTab(demo, ann), await openTab(demo, { cookie: bob.cookie, key: 7 })];
      const guest = await openGuestTab(demo);
      await assertEnds(tabs, () => destroyAll(house), LOGGED_OUT, allWithinMs);
      await guest.assertOpen();
    });

    for (const [passport, sidAtLogout, anotherUser] of [
      ['passport-0.5', 'stays, its user goes', USER_CHANGED],
      ['passport', 'goes', LOGGED_OUT],
    ]) {
      describe(`with ${passport}`, () => {
        let app;
        before(async () => {
          app = await house.open(startAppOnPassport, { passport });
        });
        const login = async (key, visitor = app.visitor()) => visitor.post('/login', { key });

        test(`the session ${sidAtLogout} at logout, and its sockets close`, async () => {
          const ann = await login(42);
          const tab = await openTab(demo, ann);
          await assertEnds([tab], () => ann.post('/logout', {}));
        });

        test(`another user logs in with the same browser: ${anotherUser.code}`, async () => {
          const visitor = await login(42);
          const tab = await openTab(demo, visitor);
          await assertEnds([tab], () => login('bob', visitor), anotherUser);
          await (await openTab(demo, { cookie: visitor.cookie, key: 'bob' })).assertOpen();
        });

        test('a visit changes the session, and the sockets stay', async () => {
          const visitor = await login(42);
          const tab = await openTab(demo, visitor);
          await visitor.visit();
          const other = await login(7);
          const control = await openTab(demo, { cookie: other.cookie, key: 7 });
          // By the time this one is closed, the visit has been seen, too.
          await assertEnds([control], () => other.post('/logout', {}));
          await tab.assertOpen();
        });
      });
    }

    test("after its disconnect a client receives no more events", async () => {
      const [ann, bob] = [await house.login('ann'), await house.login('bob')];
      const tab = await openTab(demo, ann);
      const { socket: bobs } = await connect({ url: demo.url, cookie: bob.cookie });
      const heard = ledger(bobs);
      // Another user sends messages to all, all the time.
      let count = 0;
      const talk = setInterval(() => bobs.emit('message', `to all ${(count += 1)}`, () => {}), 2);
      try {
        await assertEnds([tab], () => ann.logout());
        const known = tab.told.entries.length;
        assert.equal(await ask(bobs, 'message', 'the end'), true);
        assert.ok(tab.told.entries.some(([event]) => event === 'message'), 'she heard him before');
        assert.ok(heard.entries.some(([event, said]) => event === 'message' && said.text === 'the end'));
        assert.equal(tab.told.entries.length, known);
      } finally {
        clearInterval(talk);
      }
    });

    test('a client that keeps sending is not heard and receives nothing', async () => {
      const [ann, bob] = [await house.login('ann'), await house.login('bob')];
      const wire = await openWire(demo, ann);
      const { socket: bobs } = await connect({ url: demo.url, cookie: bob.cookie });
      const heard = [];
      let onHeard = () => {};
      bobs.on('message', (said) => {
        heard.push(said);
        onHeard(said);
      });
      const heardThat = (text) =>
        within(new Promise((resolve) => { onHeard = (said) => said.text === text && resolve(); }), `"${text}"`);

      let count = 0;
      const talk = setInterval(() => {
        count += 1;
        wire.send(`42${count}["message","ann ${count}"]`);
      }, 1);
      try {
        await heardThat('ann 5');
        await ann.logout();
        await wire.until('41');
        // A handler that was running when her login ended may still finish: its event was sent before this.
        const sent = count;
        const afterHerEnd = heardThat('after her end');
        bobs.emit('message', 'after her end', () => {});
        await afterHerEnd;
        const [known, said] = [heard.length, count];
        const muchLater = heardThat('much later');
        while (count < said + 50) await within(new Promise(setImmediate), 'a turn');
        bobs.emit('message', 'much later', () => {});
        await muchLater;
        const late = heard.slice(known).map(({ text }) => text);
        assert.deepEqual(late.filter((text) => !(Number(/^ann (\d+)$/.exec(text)?.[1]) <= sent)), ['much later']);
        // An event for the whole namespace may arrive after the disconnect; no client gives it to a handler.
        const forHer = wire.packets.filter((packet) => !/^42\["(?:online|message)"/.test(packet));
        const end = forHer.slice(forHer.indexOf('42["session_ended",{"code":"logged_out","reconnect":false}]'));
        assert.equal(end[1], '41');
        // The server closes a connection that speaks to a namespace which it is not in.
        assert.deepEqual(end.slice(2).filter((packet) => packet !== '1'), []);
      } finally {
        clearInterval(talk);
        wire.close();
      }
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}
