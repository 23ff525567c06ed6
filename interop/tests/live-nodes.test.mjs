import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { LOGGED_OUT, openGuestTab, openTab } from '../lib/tabs.mjs';

const NODES = 3;
// Found by the feed, not by the sweep, whose first lookup comes later.
const ARGS = ['--max-stale', '12s'];
const WITHIN_MS = 4_000;

describe('three nodes over one Redis, without an adapter or a cluster', { skip: unless('demo', 'redis') }, () => {
  let house;
  let nodes;

  before(async () => {
    house = await House.onRedis();
    nodes = await Promise.all(Array.from({ length: NODES }, () => house.open(startDemo, { args: ARGS })));
  });
  afterEach(hangUp);
  after(() => house?.close());

  const everywhere = (request) => Promise.all(nodes.map((node) => openTab(node, request)));

  test("a logout closes the user's sockets on all nodes, and no others", async () => {
    const [ann, again, bob] = [await house.login('ann'), await house.login('ann'), await house.login('bob')];
    const tabs = [...(await everywhere(ann)), ...(await everywhere(ann))];
    const others = [
      ...(await everywhere(again)),
      ...(await everywhere({ cookie: bob.cookie, key: 7 })),
      ...(await Promise.all(nodes.map(openGuestTab))),
    ];
    await ann.logout();
    const ended = performance.now();
    for (const tab of tabs) {
      const late = (await tab.ended(LOGGED_OUT)) - ended;
      assert.ok(late < WITHIN_MS, `closed after ${Math.round(late)} ms`);
    }
    for (const other of others) await other.assertOpen();
  });

  test('after one node is killed, logouts close the sockets on the others', async () => {
    const ann = await house.login('ann');
    const bob = { cookie: (await house.login('bob')).cookie, key: 7 };
    const [lost, ...tabs] = await everywhere(ann);
    const [, ...others] = await everywhere(bob);
    await nodes[0].kill();
    await lost.told.left();
    await ann.logout();
    for (const tab of tabs) await tab.ended(LOGGED_OUT);
    for (const other of others) await other.assertOpen();
  });

  test("no secret, session id or cookie is in a server's output", assertNothingLeaked);
});
