import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { launch } from '../lib/children.mjs';
import { ask, hangUp } from '../lib/clients.mjs';
import { makeCertificates } from '../lib/certificates.mjs';
import { Redis, startRedisCluster } from '../lib/redis.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { freePort } from '../lib/free-port.mjs';
import { eventually, happens, within } from '../lib/wait.mjs';
import { emitters, listener, rustServer } from './house.mjs';

const KINDS = ['4', '4-polling', '3', '2.5', '4-msgpack'];
const DATA = [{ a: 1, b: undefined }, new Date(0), Buffer.from([1, 2]), undefined, 1.5, -1, 2 ** 40];
// Buffers are compared by their bytes: clients hand them out in several types.
const HEARD = [{ a: 1 }, '1970-01-01T00:00:00.000Z', [1, 2], null, 1.5, -1, 2 ** 40];

const plain = (value) => {
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};

describe('emitters reach the sockets of a Rust server', { timeout: 120_000 }, () => {
  let redis, from, server, msgpack;

  before(async () => {
    redis = await Redis.start();
    from = await emitters(redis.url);
    server = await rustServer(['listen', redis.url]);
    msgpack = await rustServer(['listen', redis.url], { MSGPACK: '1' });
  });

  afterEach(hangUp);

  after(async () => {
    from?.close();
    await server?.kill();
    await msgpack?.kill();
    await redis?.kill();
  });

  const hears = (kind, namespace) =>
    listener(kind === '4-msgpack' ? msgpack.url : server.url, kind, namespace);

  for (const kind of KINDS) {
    test(`all methods reach a client of kind ${kind}`, async () => {
      const one = await hears(kind);
      await ask(one.socket, 'join', ['a', '7', 'r#1', 'b']);
      const { emitter, legacy } = from;
      emitter.emit('x', 'all');
      emitter.to('a').emit('x', 'room');
      emitter.in(['b', 'nobody']).emit('x', 'rooms, once');
      emitter.to('a').to('b').emit('x', 'two rooms, once');
      emitter.to(7).emit('x', 'number');
      emitter.to('r#1').emit('x', 'hash');
      emitter.to('nobody').emit('x', 'not for us');
      emitter.except('a').emit('x', 'not for us');
      emitter.to('a').except(['b']).emit('x', 'not for us');
      emitter.except('nobody').emit('x', 'except others');
      emitter.of('/chat').emit('x', 'not for us');
      emitter.of('/nowhere').emit('x', 'not for us');
      emitter.compress(false).to('a').emit('x', 'compress');
      emitter.to('a').emit('x', ...DATA);
      emitter.emit('x', { deep: [{ er: [Buffer.from([9]), new Date(1)] }] }, Buffer.alloc(70_000, 7).buffer);
      emitter.emit('x', [NaN, Infinity, -0, 2 ** 53, '\ud800', 'é😀'], new Uint8Array([3]));
      emitter.emit('x');
      legacy.emit('x', 'legacy all');
      legacy.to('a').emit('x', ...DATA);
      legacy.in('b').to('a').emit('x', 'legacy rooms');
      legacy.of('/chat').emit('x', 'not for us');
      emitter.emit('done');
      const heard = (await one.until('done')).map(([, ...args]) => plain(args));
      const [big, odd] = [heard[9], heard[10]];
      assert.deepEqual([...heard.slice(0, 9), ...heard.slice(11)], [
        ['all'], ['room'], ['rooms, once'], ['two rooms, once'], ['number'], ['hash'], ['except others'],
        ['compress'], HEARD, [], ['legacy all'], HEARD, ['legacy rooms'],
      ]);
      assert.deepEqual(big[0], { deep: [{ er: [[9], '1970-01-01T00:00:00.001Z'] }] });
      assert.deepEqual(big[1], Array(70_000).fill(7));
      assert.deepEqual(odd[0].slice(0, 2), [null, null]);
      assert.deepEqual(odd[0].slice(3), [2 ** 53, '𐀀', 'é😀']);
      assert.deepEqual(odd[1], [3]);
    });
  }

  for (const from_ of ['emitter', 'legacy']) {
    test(`a volatile event of the ${from_} reaches a client that is ready`, async () => {
      const one = await hears('4');
      // It may miss one that comes while another is being sent, as in Node.
      for (let number = 0; one.heard.length === 0; number += 1) {
        const to = from[from_].to(one.socket.id);
        to.volatile.emit('x', number);
        await eventually(() => one.heard.length > 0, 'it', 500).catch(() => {});
        assert.ok(number < 20);
      }
    });
  }

  test('a namespace of its own is reached', async () => {
    const one = await hears('4', '/chat');
    await ask(one.socket, 'join', ['a']);
    from.emitter.emit('x', 'not for us');
    from.emitter.of('/chat').to('a').emit('x', 1);
    from.legacy.of('chat').emit('x', 2);
    from.emitter.of('/chat').emit('done');
    assert.deepEqual(await one.until('done'), [['x', 1], ['x', 2]]);
  });

  test('a socket is reached, and left out, by its id', async () => {
    const [one, two] = [await hears('4'), await hears('4')];
    from.emitter.to(one.socket.id).emit('x', 1);
    from.emitter.except(one.socket.id).emit('x', 2);
    from.emitter.emit('done');
    assert.deepEqual(await Promise.all([one.until('done'), two.until('done')]), [[['x', 1]], [['x', 2]]]);
  });

  test('socketsJoin and socketsLeave change rooms', async () => {
    const [one, two] = [await hears('4'), await hears('4')];
    await ask(one.socket, 'join', ['ones']);
    from.emitter.in('ones').socketsJoin(['p', 7]);
    from.emitter.to('p').to(7).emit('x', 'joined');
    from.emitter.in('p').socketsLeave('p');
    from.emitter.to('p').emit('x', 'left');
    from.emitter.emit('done');
    assert.deepEqual(await Promise.all([one.until('done'), two.until('done')]), [[['x', 'joined']], []]);
    assert.deepEqual((await ask(one.socket, 'rooms')).sort(), ['7', 'ones']);
  });

  test('names of sockets and of aliases cannot be joined', async () => {
    const [one, two] = [await hears('4'), await hears('4')];
    await ask(one.socket, 'login', 'ann');
    from.emitter.in(two.socket.id).socketsJoin([one.socket.id, 'user:ann', 'keyed:ann', 'fine']);
    from.emitter.to(one.socket.id).emit('x', 'by id');
    from.emitter.to('user:ann').emit('x', 'by alias');
    from.emitter.to('keyed:ann').emit('x', 'refused');
    from.emitter.except('user:ann').emit('x', 'others');
    from.emitter.to('fine').emit('x', 'fine');
    from.emitter.emit('done');
    assert.deepEqual(await Promise.all([one.until('done'), two.until('done')]), [
      [['x', 'by id'], ['x', 'by alias']],
      [['x', 'others'], ['x', 'fine']],
    ]);
  });

  test('disconnectSockets disconnects the sockets that it names', async () => {
    const [one, two] = [await hears('4'), await hears('4')];
    await ask(one.socket, 'join', ['ones']);
    const ended = happens(one.socket, 'disconnect');
    from.emitter.in('ones').disconnectSockets(true);
    assert.equal(await within(ended, 'the disconnect'), 'io server disconnect');
    from.emitter.emit('done');
    await two.until('done');
  });

  test('after a login has ended nothing is received, and no room joined', async () => {
    const [one, two] = [await hears('4'), await hears('4')];
    await ask(one.socket, 'join', ['a']);
    await ask(one.socket, 'end');
    from.emitter.emit('x', 1);
    from.emitter.to('a').emit('x', 2);
    from.emitter.socketsJoin('late');
    from.emitter.emit('done');
    await two.until('done');
    assert.deepEqual(await ask(one.socket, 'rooms'), ['a']);
    assert.deepEqual(one.heard, []);
  });

  test('serverSideEmit reaches a handler in Rust', async () => {
    const one = await hears('4', '/chat');
    from.emitter.of('/chat').serverSideEmit('reload', { z: 2 }, new Date(0));
    const seen = await eventually(async () => {
      const events = await ask(one.socket, 'events');
      return events.find(({ name }) => name === 'reload');
    }, 'the event');
    const args = [{ z: 2 }, '1970-01-01T00:00:00.000Z'];
    assert.deepEqual(seen, { namespace: '/chat', sender: 'emitter', name: 'reload', args });
  });

  test('a burst of 10,000 emits loses nothing, in order', async () => {
    for (const kind of ['4', '4-polling']) {
      const one = await hears(kind);
      for (let number = 0; number < 10_000; number += 1) from.emitter.emit('x', number);
      from.emitter.emit('done');
      const heard = await one.until('done', 60_000);
      assert.equal(heard.length, 10_000);
      assert.ok(heard.every(([, number], index) => number === index));
      one.socket.disconnect();
    }
  });

  test('invalid messages have no effect', async () => {
    const one = await hears('4');
    for (const channel of ['socket.io#/#', 'socket.io-request#/#', 'socket.io-response#/#']) {
      for (const message of ['', '{', '\xc1', '{"type":4}', '{"type":99}', '\x93\xa1u\xc0\x80', '[]', 'x'.repeat(99)]) {
        await from.client.publish(channel, Buffer.from(message, 'latin1'));
      }
    }
    from.emitter.emit('done');
    assert.deepEqual(await one.until('done'), []);
  });

  test('events of the library itself are refused', async () => {
    const one = await hears('4');
    from.legacy.emit('disconnect', 'hostile');
    from.legacy.emit('connect_error', 'hostile');
    from.emitter.emit('done');
    assert.deepEqual(await one.until('done'), []);
  });

  test('after a restart of the Redis all messages arrive again', async () => {
    const one = await hears('4');
    await redis.kill();
    await redis.restart();
    const done = one.until('done');
    // Nothing announces when it listens again.
    await eventually(async () => {
      await from.client.publish('socket.io-request#/chat#', '{"type":6,"data":["probe"]}').catch(() => {});
      const events = await ask(one.socket, 'events');
      return events.some(({ name }) => name === 'probe');
    }, 'the Rust server to listen again', 20_000);
    from.emitter.emit('done');
    await done;
  });
});

describe('a Redis that stops answering', { timeout: 120_000 }, () => {
  test('is connected anew, and its messages arrive again', async () => {
    const redis = await Redis.start();
    const server = await rustServer(['listen', redis.url]);
    const one = await listener(server.url);
    redis.freeze();
    // 5 s without an answer, with a ping every 5 s.
    await within(server.stderr.match(/what is published is not heard for now/, { ms: 30_000 }), 'the warning', 30_000);
    redis.thaw();
    const from = await emitters(redis.url);
    const done = one.until('done', 30_000);
    const again = setInterval(() => from.emitter.emit('done'), 100);
    await done.finally(() => clearInterval(again));
    hangUp();
    from.close();
    await server.kill();
    await redis.kill();
  });
});

describe('a slow client', { timeout: 120_000 }, () => {
  test('is disconnected when its queue is full', async () => {
    const redis = await Redis.start();
    const server = await rustServer(['listen', redis.url], { QUEUE: '100' });
    const from = await emitters(redis.url);
    try {
      const [slow, fast] = [await listener(server.url), await listener(server.url)];
      slow.socket.io.engine.transport.ws._socket.pause();
      const text = 'x'.repeat(20_000);
      // Other clients are not held up meanwhile.
      for (let number = 0; number < 1_000; number += 1) {
        from.emitter.to(slow.socket.id).emit('x', text);
        if (number % 100 === 0) from.emitter.to(fast.socket.id).emit('y', number);
      }
      from.emitter.to(fast.socket.id).emit('done');
      assert.equal((await fast.until('done')).length, 10);
      await within(server.stderr.match(/a socket reads too slowly/, { ms: 30_000 }), 'the warning', 30_000);
      const ended = happens(slow.socket, 'disconnect');
      slow.socket.io.engine.transport.ws._socket.resume();
      await within(ended, 'the disconnect', 30_000);
    } finally {
      hangUp();
      from.close();
      await server.kill();
      await redis.kill();
    }
  });
});

describe('beside socketioxide-redis', { timeout: 60_000 }, () => {
  test('two Rust servers give each client each event once', async () => {
    const redis = await Redis.start();
    const servers = [];
    for (let count = 0; count < 2; count += 1) servers.push(await rustServer(['listen-redis', redis.url, redis.url]));
    const from = await emitters(redis.url);
    try {
      const clients = await Promise.all(servers.map(({ url }) => listener(url)));
      for (const { socket } of clients) await ask(socket, 'join', ['a']);
      from.emitter.emit('x', 1);
      from.emitter.to('a').emit('x', 2);
      from.emitter.in('a').socketsJoin('b');
      from.emitter.to('b').emit('x', 3);
      from.emitter.emit('done');
      for (const client of clients) assert.deepEqual(await client.until('done'), [['x', 1], ['x', 2], ['x', 3]]);
    } finally {
      hangUp();
      from.close();
      for (const server of servers) await server.kill();
      await redis.kill();
    }
  });
});

describe('other kinds of Redis', { timeout: 120_000 }, () => {
  const reaches = async (url, from) => {
    const server = await rustServer(['listen', url]);
    try {
      const one = await listener(server.url);
      from.emitter.to(one.socket.id).emit('done');
      await one.until('done');
    } finally {
      hangUp();
      from.close();
      await server.kill();
    }
  };

  test('over TLS', async () => {
    const certificates = await makeCertificates();
    const redis = await Redis.start({ certificates });
    const ca = readFileSync(certificates.ca);
    await reaches(`${redis.url}?ca=${certificates.ca}`, await emitters(redis.url, { tls: true, ca }));
    await redis.kill();
  });

  test('a cluster, whichever node an emitter publishes on', async () => {
    const cluster = await startRedisCluster(3);
    for (const node of cluster.nodes) await reaches(cluster.url, await emitters(node.url));
    await cluster.close();
  });

  test('the master named by sentinels, also after it has changed', async () => {
    const [master, replica] = [await Redis.start(), await Redis.start()];
    await replica.command('REPLICAOF', '127.0.0.1', `${master.port}`);
    const folder = await scratchFolder();
    const port = await freePort();
    await writeFile(join(folder, 'sentinel.conf'), [
      `port ${port}`, 'bind 127.0.0.1', `sentinel monitor of-ours 127.0.0.1 ${master.port} 1`,
      'sentinel down-after-milliseconds of-ours 500', 'sentinel failover-timeout of-ours 2000', '',
    ].join('\n'));
    const sentinel = await launch('sentinel', 'redis-server', ['sentinel.conf', '--sentinel'], {
      cwd: folder, ready: /monitor master/,
    });
    const url = `redis://127.0.0.1:${port}/?sentinel=of-ours`;
    await reaches(url, await emitters(master.url));
    const server = await rustServer(['listen', url]);
    const one = await listener(server.url);
    // Members find it, too.
    const members = [await rustServer(['member', `${url}&key=members`]), await rustServer(['member', `${url}&key=members`])];
    const ofMembers = [await listener(members[0].url), await listener(members[1].url)];
    const all = () => ask(ofMembers[0].socket, 'act', 'fetchSockets', {});
    await eventually(async () => (await all()).length === 2, 'the sockets of both members', 30_000);
    // Sentinel has to know the replica before it can take over.
    await within(sentinel.stdout.match(/\+slave/, { ms: 30_000 }), 'the sentinel to know the replica', 30_000);
    await master.kill();
    const from = await emitters(replica.url);
    const done = one.until('done', 60_000);
    const again = setInterval(() => from.emitter.to(one.socket.id).emit('done'), 100);
    await done.finally(() => clearInterval(again));
    await eventually(async () => (await all()).length === 2, 'the sockets of both members again', 60_000);
    await ask(ofMembers[0].socket, 'act', 'emit', { event: 'again', value: 1 });
    await ofMembers[1].until('again');
    hangUp();
    from.close();
    for (const process of [server, ...members, sentinel, replica]) await process.kill();
  });
});
