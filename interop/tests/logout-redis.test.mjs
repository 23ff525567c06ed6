import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { launch } from '../lib/children.mjs';
import { ask, connect, hangUp } from '../lib/clients.mjs';
import { freePort } from '../lib/free-port.mjs';
import { House } from '../lib/house.mjs';
import { Redis, startRedisCluster } from '../lib/redis.mjs';
import { unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, member } from '../lib/verdicts.mjs';
import { eventually, within } from '../lib/wait.mjs';

// The sweep comes after half of it, at the earliest.
const MAX_STALE = ['--max-stale', '120s'];
const AT_ONCE_MS = 10_000;
const SOON_MS = 30_000;

const skip = unless('demo', 'redis');

const endOf = (socket) => new Promise((resolve) => socket.once('session_ended', resolve));

describe('a logout in a Redis cluster of three masters', { skip }, () => {
  let cluster;
  let house;
  let demo;

  before(async () => {
    cluster = await startRedisCluster(3);
    house = await House.onStore(cluster.url);
    demo = await house.open(startDemo, { args: MAX_STALE });
  });
  afterEach(hangUp);
  after(async () => {
    await house?.close();
    await cluster?.close();
  });

  test('ends the sockets at once, whichever master has the session', async () => {
    // Each of them has a third of the sessions.
    for (let n = 0; n < 9; n += 1) {
      const ann = await house.login('ann');
      const socket = await assertGranted(demo, { cookie: ann.cookie }, member(42));
      const ended = endOf(socket);
      await ann.logout();
      assert.equal((await within(ended, 'the logout to end the socket', AT_ONCE_MS)).code, 'logged_out');
    }
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('sessions under Sentinel', { skip }, () => {
  const NAME = 'of-ours';
  let master;
  let replica;
  let sentinel;
  let house;
  let demo;

  before(async () => {
    [master, replica] = [await Redis.start(), await Redis.start()];
    await replica.command('REPLICAOF', '127.0.0.1', `${master.port}`);
    const [cwd, port] = [await scratchFolder(), await freePort()];
    await writeFile(join(cwd, 'sentinel.conf'), [
      `port ${port}`, 'bind 127.0.0.1', `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 1`,
      `sentinel down-after-milliseconds ${NAME} 2000`, `sentinel failover-timeout ${NAME} 2000`, '',
    ].join('\n'));
    sentinel = await launch('sentinel', 'redis-server', ['sentinel.conf', '--sentinel'], { cwd, ready: /monitor master/ });
    // It has to know the replica before that can take over.
    await within(sentinel.stdout.match(/\+slave/, { ms: SOON_MS }), 'the sentinel to know the replica', SOON_MS);
    house = await House.onStore(master.url);
    const store = `redis-sentinel://127.0.0.1:${port}/0#${NAME}`;
    demo = await house.open(startDemo, { store, args: MAX_STALE });
  });
  after(async () => {
    hangUp();
    await house?.close();
    await sentinel?.kill();
    for (const redis of [replica, master]) await redis?.close();
  });

  test('sockets stay through a failover, and a later logout ends them at once', async () => {
    const [ann, bob] = [await house.login('ann'), await house.login('bob')];
    const ofAnn = await assertGranted(demo, { cookie: ann.cookie }, member(42));
    const ofBob = await assertGranted(demo, { cookie: bob.cookie }, member(7));
    const ends = [];
    for (const socket of [ofAnn, ofBob]) socket.on('session_ended', (end) => ends.push(end.code));
    await eventually(
      async () => (await replica.command('EXISTS', `sess:${ann.sid}`, `sess:${bob.sid}`)) === 2,
      'the replica to have both sessions',
      SOON_MS,
    );

    await master.kill();
    await eventually(
      async () => (await connect({ url: demo.url, cookie: bob.cookie })).connected,
      'the server to find the new master',
      SOON_MS,
    );
    assert.deepEqual(await ask(ofAnn, 'whoami'), member(42));
    assert.deepEqual(ends, []);

    // The app of this test does not follow the sentinel: what its logout does is done for it.
    const ended = endOf(ofAnn);
    assert.equal(await replica.command('DEL', `sess:${ann.sid}`), 1);
    assert.equal((await within(ended, 'the logout to end the socket', AT_ONCE_MS)).code, 'logged_out');
    assert.deepEqual(await ask(ofBob, 'whoami'), member(7));
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
