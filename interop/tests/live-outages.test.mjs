import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { connect, hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { LOGGED_OUT, openTab } from '../lib/tabs.mjs';
import { eventually } from '../lib/wait.mjs';

const MAX_STALE_MS = 2_000;
const ARGS = ['--max-stale', `${MAX_STALE_MS}ms`];
// The delay from the server to a client's handlers, on a busy machine.
const DELIVERY_MS = 500;

describe('live sessions while Redis is away', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;
  let ann;
  let bob;
  let annsTab;
  let bobsTab;

  // One house for each test, since the test makes its Redis fail.
  beforeEach(async () => {
    house = await House.onRedis({ durable: true });
    demo = await house.open(startDemo, { args: ARGS });
    [ann, bob] = [await house.login('ann'), await house.login('bob')];
    annsTab = await openTab(demo, ann);
    bobsTab = await openTab(demo, { cookie: bob.cookie, key: 7 });
  });
  afterEach(async () => {
    hangUp();
    await house?.close();
  });

  /** The server has noticed, new connections are refused, live ones stay. */
  async function assertAway() {
    await demo.log.match(/the store is away/, { ms: 15_000 });
    const verdict = await connect({ url: demo.url, cookie: ann.cookie, transport: 'polling' });
    assert.equal(verdict.status, 503);
    await Promise.all([annsTab.assertOpen(), bobsTab.assertOpen()]);
  }

  async function assertEnds(tab, recovered) {
    const late = (await tab.ended(LOGGED_OUT, 15_000)) - recovered;
    assert.ok(late < MAX_STALE_MS + DELIVERY_MS, `closed ${Math.round(late)} ms after the recovery`);
  }

  /** A sweep over all live sessions has ended, with some reserve. */
  const sweep = () => new Promise((resolve) => setTimeout(resolve, MAX_STALE_MS));

  test('killed: once it is back, the logouts close only their own sockets', async () => {
    await house.redis.kill();
    await assertAway();
    await house.redis.commandWhileAway('DEL', `sess:${ann.sid}`);
    await house.redis.restart();
    await assertEnds(annsTab, performance.now());
    await sweep();
    await bobsTab.assertOpen();
  });

  test('killed, and back empty: all users are logged out', async () => {
    await house.redis.kill();
    await assertAway();
    await house.redis.commandWhileAway('FLUSHALL');
    await house.redis.restart();
    const recovered = performance.now();
    await Promise.all([annsTab, bobsTab].map((tab) => assertEnds(tab, recovered)));
  });

  test('frozen: once it is back, the logouts close only their own sockets', async () => {
    house.redis.freeze();
    const logout = ann.logout();
    await assertAway();
    house.redis.thaw();
    await logout;
    await assertEnds(annsTab, performance.now());
    await sweep();
    await bobsTab.assertOpen();
  });

  test('its connections are cut repeatedly: logouts close only their sockets', async () => {
    for (let round = 0; round < 5; round += 1) {
      const visitor = await house.login('zero');
      // The server may still be busy with the last cut.
      const request = { url: demo.url, cookie: visitor.cookie };
      await eventually(async () => (await connect(request)).connected, 'a connection to Redis');
      const tab = await openTab(demo, { cookie: visitor.cookie, key: 0 });
      const { sid } = visitor;
      const logout = visitor.logout();
      await house.redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      // The app may have lost its command, and answer that it failed.
      await logout.catch(() => {});
      await house.redis.command('DEL', `sess:${sid}`);
      await assertEnds(tab, performance.now());
    }
    await Promise.all([annsTab.assertOpen(), bobsTab.assertOpen()]);
  });

  after(assertNothingLeaked);
});
