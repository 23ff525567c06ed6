import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { startDemo } from '../lib/servers.mjs';
import { LOGGED_OUT, openGuestTab, openTab } from '../lib/tabs.mjs';
import { runToItsEnd } from '../lib/children.mjs';
import { demoBinary } from '../lib/requirements.mjs';
import { eventually } from '../lib/wait.mjs';
import { emitters } from './house.mjs';

const FAR = 15_000;
const EVICTED = { code: 'evicted', reconnect: false };

describe('demo --emitter: an Express app\'s emitter reaches its users here', {
  skip: unless('demo', 'redis'), timeout: 120_000,
}, () => {
  let house, demo, from;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo, { args: ['--emitter', house.redis.url] });
    from = await emitters(house.redis.url);
  });
  afterEach(hangUp);
  after(async () => {
    from?.close();
    await house?.close();
  });

  /** What a tab hears on `/` until `done`, which is sent last. */
  function listen(tab) {
    const heard = [];
    for (const event of ['news', 'done']) tab.socket.on(event, (value) => heard.push(value ?? event));
    return async () => {
      await eventually(() => heard.includes('done'), () => `done after ${heard}`, FAR);
      return heard.splice(0).filter((value) => value !== 'done');
    };
  }

  for (const name of ['emitter', 'legacy']) {
    test(`the ${name} addresses users, sessions, rooms of sockets, and all`, async () => {
      const [ann, bob] = [await house.login('ann'), await house.login('bob')];
      const tabs = [await openTab(demo, ann), await openTab(demo, { cookie: bob.cookie, key: 7 })];
      const hear = tabs.map(listen);
      const hash = createHash('sha256').update(ann.sid).digest('hex');
      const emitter = from[name];
      emitter.to('user:42').emit('news', 'for ann');
      emitter.to('user:7').emit('news', 'for bob');
      emitter.to(`session:${hash}`).emit('news', 'for one session');
      emitter.to('user:42').to('user:7').emit('news', 'for both, once');
      emitter.to(tabs[1].socket.id).emit('news', 'for one socket');
      emitter.to('user:nobody').emit('news', 'for nobody');
      if (name === 'emitter') emitter.except('user:42').emit('news', 'not for ann');
      emitter.emit('done');
      const [first, second] = await Promise.all(hear.map((until) => until()));
      assert.deepEqual(first, ['for ann', 'for one session', 'for both, once']);
      const toBob = ['for bob', 'for both, once', 'for one socket'];
      assert.deepEqual(second, name === 'emitter' ? [...toBob, 'not for ann'] : toBob);
    });
  }

  test('guests are reached where they are', async () => {
    const guest = await openGuestTab(demo);
    const hear = listen(guest);
    from.emitter.of('/lobby').emit('news', 'for all in the lobby');
    from.emitter.of('/lobby').to('user:42').emit('news', 'not for guests');
    from.emitter.of('/lobby').emit('done');
    assert.deepEqual(await hear(), ['for all in the lobby']);
  });

  test('no emitter can make a socket join an alias or the room of another', async () => {
    const [ann, bob] = [await house.login('ann'), await house.login('bob')];
    const tabs = [await openTab(demo, ann), await openTab(demo, { cookie: bob.cookie, key: 7 })];
    const hear = tabs.map(listen);
    from.emitter.in('user:7').socketsJoin(['user:42', tabs[0].socket.id, 'team']);
    from.emitter.to('user:42').emit('news', 'for ann');
    from.emitter.to(tabs[0].socket.id).emit('news', 'for her socket');
    from.emitter.to('team').emit('news', 'for the team');
    from.emitter.emit('done');
    const heard = await Promise.all(hear.map((until) => until()));
    assert.deepEqual(heard, [['for ann', 'for her socket'], ['for the team']]);
  });

  test('a disconnect by an emitter ends its sockets with evicted', async () => {
    const [ann, bob] = [await house.login('ann'), await house.login('bob')];
    const tabs = [await openTab(demo, ann), await openTab(demo, { cookie: bob.cookie, key: 7 })];
    from.emitter.in('user:42').disconnectSockets(true);
    await tabs[0].ended(EVICTED, FAR);
    await tabs[1].assertOpen();
    await (await openTab(demo, ann)).assertOpen();
  });

  test('after a logout nothing that the emitter sends arrives', async () => {
    const ann = await house.login('ann');
    const tab = await openTab(demo, ann);
    const heard = [];
    tab.socket.on('news', (value) => heard.push(value));
    from.emitter.to('user:42').emit('news', 'before');
    await eventually(() => heard.length === 1, 'what was sent before', FAR);
    let sent = 0;
    const sending = setInterval(() => from.emitter.emit('news', (sent += 1)), 1);
    try {
      await ann.logout();
      await tab.ended(LOGGED_OUT, FAR);
    } finally {
      clearInterval(sending);
    }
    // The ledger counts what comes after `session_ended`.
    assert.ok(sent > 0);
    const count = heard.length;
    from.emitter.emit('news', 'after');
    await openTab(demo, await house.login('ann'));
    assert.equal(heard.length, count);
  });
});

describe('demo --emitter: what it refuses', { skip: unless('demo'), timeout: 60_000 }, () => {
  const cases = [
    ['a URL that is none', ['--emitter', 'http://127.0.0.1/'], /--emitter: a Redis URL starts with redis:/],
    ['a Redis that is not there', ['--emitter', 'redis://127.0.0.1:1/'], /--emitter: /],
    ['the key of --redis-adapter', [
      '--emitter', 'redis://127.0.0.1:1/?key=demos', '--redis-adapter', 'redis://127.0.0.1:1/', '--cluster-name', 'demos',
      '--cluster-secret', 'of the cluster',
    ], /different protocols on channels of the same names/],
  ];
  for (const [what, args, said] of cases) {
    test(what, async () => {
      const options = ['demo', '--listen', '127.0.0.1:0', '--store', 'memory:', '--secret', 'of the app', ...args];
      const { code, stderr } = await runToItsEnd(demoBinary, options);
      assert.notEqual(code, 0);
      assert.match(stderr, said);
    });
  }
});
