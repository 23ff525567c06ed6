import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient, createCluster } from 'redis';
import { Server } from 'socket.io';
import { ask, hangUp } from '../lib/clients.mjs';
import { Redis, startRedisCluster } from '../lib/redis.mjs';
import { eventually, happens, within } from '../lib/wait.mjs';
import { emitters, listener, rustServer } from './house.mjs';

const FAR = 15_000;

/** A real Node server in the cluster. */
async function nodeServer(url, options, connect = () => createClient({ url })) {
  const clients = [connect(), connect()];
  for (const client of clients) {
    client.on('error', () => {});
    await client.connect();
  }
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(...clients, options) });
  for (const name of ['/', '/chat']) {
    io.of(name).on('connection', (socket) => {
      socket.data = { from: 'node' };
      socket.on('join', (rooms, done) => {
        socket.join(rooms);
        done();
      });
    });
  }
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    io,
    url: `http://127.0.0.1:${http.address().port}`,
    async close() {
      // The adapter unsubscribes when its namespace is closed, which `io.close()` does not wait for.
      await io.close();
      for (const client of clients) await client.close();
    },
  };
}

const bytes = (value) => (value instanceof ArrayBuffer ? [...new Uint8Array(value)] : [...value]);
const heardValues = (heard) => heard.map(([, value]) => value);

describe('two Rust and two Node servers are one cluster', { timeout: 240_000 }, () => {
  let redis, rust, node, from;
  let clients, act;

  const serversAgree = (count) => eventually(async () => {
    const [some] = await redis.command('PUBSUB', 'NUMSUB', 'socket.io-request#/#').then((reply) => [Number(reply[1])]);
    return some === count;
  }, `${count} servers`, FAR);

  before(async () => {
    redis = await Redis.start();
    rust = [await rustServer(['member', redis.url]), await rustServer(['member', redis.url])];
    node = [await nodeServer(redis.url), await nodeServer(redis.url, { publishOnSpecificResponseChannel: true })];
    from = await emitters(redis.url);
    await serversAgree(4);
  });

  // One client at each: [rust, rust, node, node], and each in `all` and in a room of its own.
  async function connectAll(kinds = ['4', '3', '4', '4']) {
    const urls = [...rust, ...node].map(({ url }) => url);
    clients = await Promise.all(urls.map((url, index) => listener(url, kinds[index])));
    for (const [index, client] of clients.entries()) await ask(client.socket, 'join', ['all', `of-${index}`]);
    act = (method, args = {}) => ask(clients[0].socket, 'act', method, args);
  }

  // All have heard what was said before when they hear this: each server is heard in its own order.
  async function untilDone() {
    const marks = clients.map((_, index) => index);
    await Promise.all([
      act('emit', { event: 'done-rust', value: 1 }),
      ask(clients[1].socket, 'act', 'emit', { event: 'done-rust-2', value: 1 }),
    ]);
    node[0].io.emit('done-node');
    node[1].io.emit('done-node-2');
    from.emitter.emit('done-emitter');
    const dones = ['done-rust', 'done-rust-2', 'done-node', 'done-node-2', 'done-emitter'];
    for (const index of marks) {
      for (const done of dones) {
        await eventually(() => clients[index].heard.some(([name]) => name === done), `${done} at ${index}`, FAR);
      }
    }
    return clients.map(({ heard }) => heard.splice(0).filter(([name]) => !name.startsWith('done-')));
  }

  afterEach(hangUp);

  after(async () => {
    from?.close();
    for (const server of node ?? []) await server.close();
    for (const server of rust ?? []) await server.kill();
    await redis?.kill();
  });

  test('broadcasts of Rust reach all, with rooms, exceptions and binary', async () => {
    await connectAll();
    await act('emit', { value: 'all' });
    await act('emit', { target: { rooms: ['of-1', 'of-2'] }, value: '1 2' });
    await act('io.emit', { target: { rooms: ['all'], except: ['of-3'] }, value: 'not 3' });
    await act('broadcast', { value: 'not 0' });
    await act('io.emit', { target: { rooms: [clients[2].socket.id] }, value: 'id 2' });
    await act('emit', { target: { rooms: [clients[1].socket.id] }, value: 'id 1' });
    const heard = await untilDone();
    for (const [, , binary] of heard.flat()) assert.deepEqual(bytes(binary), [1, 2]);
    assert.deepEqual(heard.map(heardValues), [
      ['all', 'not 3'],
      ['all', '1 2', 'not 3', 'not 0', 'id 1'],
      ['all', '1 2', 'not 3', 'not 0', 'id 2'],
      ['all', 'not 0'],
    ]);
  });

  test('broadcasts of Node reach all, with rooms, exceptions and binary', async () => {
    await connectAll();
    const { io } = node[0];
    io.emit('x', 'all', Buffer.from([1, 2]));
    io.to(['of-0', 'of-3']).emit('x', '0 3', Buffer.from([1, 2]));
    io.to('all').except('of-1').emit('x', 'not 1', Buffer.from([1, 2]));
    io.to(clients[0].socket.id).emit('x', 'id 0', new Uint8Array([1, 2]));
    const own = io.sockets.sockets.get(clients[2].socket.id);
    own.broadcast.emit('x', 'not 2', Buffer.from([1, 2]));
    own.to('all').emit('x', 'not 2 either', Buffer.from([1, 2]));
    const heard = await untilDone();
    for (const [, , binary] of heard.flat()) assert.deepEqual(bytes(binary), [1, 2]);
    assert.deepEqual(heard.map(heardValues), [
      ['all', '0 3', 'not 1', 'id 0', 'not 2', 'not 2 either'],
      ['all', 'not 2', 'not 2 either'],
      ['all', 'not 1'],
      ['all', '0 3', 'not 1', 'not 2', 'not 2 either'],
    ]);
  });

  test('emitters reach all, each client once', async () => {
    await connectAll();
    from.emitter.emit('x', 1);
    from.legacy.to('of-0').to('of-2').emit('x', 2);
    assert.deepEqual((await untilDone()).map(heardValues), [[1, 2], [1], [1, 2], [1]]);
  });

  test('Node is answered when it fetches sockets, rooms and acknowledgements', async () => {
    await connectAll();
    for (const { io } of node) {
      const sockets = await within(io.fetchSockets(), 'fetchSockets', FAR);
      assert.deepEqual(sockets.map(({ id }) => id).sort(), clients.map(({ socket }) => socket.id).sort());
      const ours = sockets.find(({ id }) => id === clients[0].socket.id);
      assert.deepEqual(ours.data, { user: 'ann' });
      assert.deepEqual([...ours.rooms].sort(), [ours.id, 'all', 'of-0'].sort());
      assert.equal((await io.in('of-1').fetchSockets()).length, 1);
      const rooms = await within(io.of('/').adapter.allRooms(), 'allRooms', FAR);
      for (const room of ['of-0', 'of-1', 'of-2', 'of-3', clients[0].socket.id]) assert.ok(rooms.has(room), room);
      for (const [index, { socket }] of clients.entries()) {
        socket.on('q', (value, done) => done(`${value} ${index}`));
      }
      const answers = await within(io.timeout(5_000).emitWithAck('q', 'yes'), 'the acknowledgements', FAR);
      assert.deepEqual(answers.sort(), ['yes 0', 'yes 1', 'yes 2', 'yes 3']);
      for (const { socket } of clients) socket.off('q');
    }
  });

  test('Rust is answered when it fetches sockets, rooms and acknowledgements', async () => {
    await connectAll();
    assert.equal(await act('serverCount'), 4);
    const sockets = await act('fetchSockets');
    assert.deepEqual(sockets.map(({ id }) => id).sort(), clients.map(({ socket }) => socket.id).sort());
    assert.deepEqual(sockets.find(({ id }) => id === clients[2].socket.id).data, { from: 'node' });
    assert.equal((await act('fetchSockets', { target: { rooms: ['of-3'] } })).length, 1);
    // socketioxide's own has room for the ids of Rust servers alone.
    assert.equal(await act('io.fetchSockets'), 2);
    for (const method of ['allRooms', 'io.rooms']) {
      const rooms = await act(method);
      for (const room of ['of-0', 'of-1', 'of-2', 'of-3']) assert.ok(rooms.includes(room), `${method} ${room}`);
    }
    for (const [index, { socket }] of clients.entries()) {
      socket.on('q', (value, _, done) => done(`${value} ${index}`));
    }
    for (const method of ['emitWithAck', 'io.emitWithAck']) {
      const answers = await act(method, { event: 'q', value: 'yes' });
      assert.deepEqual(answers.sort(), ['yes 0', 'yes 1', 'yes 2', 'yes 3'], method);
    }
    clients[3].socket.off('q');
    const answers = await act('io.emitWithAck', { event: 'q', value: 'yes', timeout: 300 });
    assert.deepEqual(answers.sort(), ['late', 'yes 0', 'yes 1', 'yes 2']);
  });

  test('each side makes the other\'s sockets join, leave and disconnect', async () => {
    await connectAll();
    await act('join', { target: { rooms: ['of-2', 'of-1'] }, rooms: ['by-rust'] });
    await act('io.join', { target: { rooms: ['of-3'] }, rooms: ['by-rust'] });
    node[0].io.in('of-0').socketsJoin('by-node');
    node[1].io.in('of-3').socketsJoin('by-node');
    const are = async (room, count) => eventually(
      async () => (await node[0].io.in(room).fetchSockets()).length === count, `${count} in ${room}`, FAR);
    await are('by-rust', 3);
    await are('by-node', 2);
    await act('leave', { target: { rooms: ['of-2'] }, rooms: ['by-rust'] });
    await act('io.leave', { target: { rooms: ['of-3'] }, rooms: ['by-rust'] });
    node[0].io.in('of-0').socketsLeave('by-node');
    await are('by-rust', 1);
    await are('by-node', 1);
    const ends = clients.map(({ socket }) => happens(socket, 'disconnect'));
    await act('disconnect', { target: { rooms: ['of-2'] } });
    await act('io.disconnect', { target: { rooms: ['of-3'] } });
    node[0].io.in('of-1').disconnectSockets();
    for (const index of [1, 2, 3]) await within(ends[index], `the end of ${index}`, FAR);
    node[0].io.in('of-0').disconnectSockets(true);
    await within(ends[0], 'the end of 0', FAR);
  });

  test('serverSideEmit is received and answered by both', async () => {
    await connectAll();
    const heard = [];
    for (const [index, { io }] of node.entries()) {
      io.on('hello', (value, _, done) => {
        heard.push(`${value} at ${index}`);
        done?.(`node ${index}`);
      });
    }
    await act('serverSideEmit', { event: 'hello', value: 'a' });
    await eventually(() => heard.length === 2, 'both Node servers to hear', FAR);
    const answers = await act('serverSideEmitWithAck', { event: 'hello', value: 'b' });
    assert.deepEqual(answers.sort(), ['node 0', 'node 1', 'rust heard hello']);
    const answered = await within(node[0].io.serverSideEmitWithAck('hello', 'c', null), 'the answers', FAR);
    assert.deepEqual(answered.sort(), ['node 1', 'rust heard hello', 'rust heard hello']);
    const events = await ask(clients[0].socket, 'events');
    assert.ok(events.some(({ name, args }) => name === 'hello' && args[0] === 'c'));
  });

  test('namespaces that clients create are members too', async () => {
    for (const { io } of node) io.of(/^\/room\/\w+$/);
    const urls = [...rust, ...node].map(({ url }) => url);
    const inRoom = [];
    for (const url of urls) inRoom.push(await listener(url, '4', '/room/7'));
    await eventually(async () => (await ask(inRoom[0].socket, 'act', 'serverCount', {})) === 4, 'four servers', FAR);
    await ask(inRoom[0].socket, 'act', 'emit', { value: 'of rust' });
    node[0].io.of('/room/7').emit('y');
    for (const { heard } of inRoom) {
      const names = () => heard.map(([name]) => name).sort().join();
      await eventually(() => names() === 'x,y', () => `x and y, not ${names()}`, FAR);
    }
    assert.equal((await node[1].io.of('/room/7').fetchSockets()).length, 4);
  });

  test('a server that does not answer is named as missing, in time', async () => {
    await connectAll();
    const silent = createClient({ url: redis.url });
    await silent.connect();
    await silent.subscribe('socket.io-request#/#', () => {});
    const answer = await act('fetchSockets');
    assert.deepEqual(answer, { error: '3 of 4 servers answered in time' });
    silent.destroy();
    await serversAgree(4);
    assert.equal((await act('fetchSockets')).length, 4);
  });

  test('servers come and go', async () => {
    const third = await nodeServer(redis.url);
    await serversAgree(5);
    await connectAll();
    const client = await listener(third.url);
    assert.equal((await act('fetchSockets')).length, 5);
    await act('emit', { event: 'x', value: 1 });
    await client.until('x');
    await third.close();
    await serversAgree(4);
    assert.equal((await act('fetchSockets')).length, 4);
    const fourth = await rustServer(['member', redis.url]);
    await serversAgree(5);
    const other = await listener(fourth.url);
    assert.equal((await node[0].io.fetchSockets()).length, 5);
    node[0].io.emit('y');
    await other.until('y');
    await fourth.kill();
    await serversAgree(4);
    assert.equal((await node[0].io.fetchSockets()).length, 4);
  });

  test('after a restart of the Redis the cluster works again', async () => {
    await connectAll();
    await redis.kill();
    // Sockets of the same server do not need it.
    await act('emit', { event: 'local', value: 1 });
    await clients[0].until('local');
    await redis.restart();
    await serversAgree(4);
    await eventually(async () => (await act('fetchSockets')).length === 4, 'all sockets', FAR);
    await act('emit', { value: 'again' });
    node[0].io.emit('x', 'again, of node');
    for (const heard of await untilDone()) assert.deepEqual(heardValues(heard).sort(), ['again', 'again, of node']);
  });
});

describe('over a Redis cluster', { timeout: 120_000 }, () => {
  test('two Rust servers and a Node server are one cluster', async () => {
    const redis = await startRedisCluster(3);
    const rootNodes = redis.nodes.map(({ url }) => ({ url }));
    const node = await nodeServer(undefined, {}, () => createCluster({ rootNodes }));
    const rust = [await rustServer(['member', redis.url]), await rustServer(['member', redis.url])];
    try {
      const clients = [];
      for (const { url } of [...rust, node]) clients.push(await listener(url));
      const act = (method, args = {}) => ask(clients[0].socket, 'act', method, args);
      await eventually(async () => (await act('serverCount')) === 3, 'three servers', FAR);
      assert.equal((await act('fetchSockets')).length, 3);
      assert.equal((await within(node.io.fetchSockets(), 'fetchSockets', FAR)).length, 3);
      await act('emit', { event: 'of-rust', value: 1 });
      node.io.emit('of-node');
      for (const client of clients) {
        for (const event of ['of-rust', 'of-node']) {
          await eventually(() => client.heard.some(([name]) => name === event), event, FAR);
        }
      }
    } finally {
      hangUp();
      await node.close();
      for (const server of rust) await server.kill();
      await redis.close();
    }
  });
});

describe('a Rust server on the msgpack parser', { timeout: 60_000 }, () => {
  test('is one cluster with a Node server on the default parser', async () => {
    const redis = await Redis.start();
    const rust = await rustServer(['member', redis.url], { MSGPACK: '1' });
    const node = await nodeServer(redis.url);
    try {
      const [ours, theirs] = [await listener(rust.url, '4-msgpack'), await listener(node.url, '4')];
      node.io.emit('x', 'of node', Buffer.from([1, 2]));
      await ours.until('x');
      await theirs.until('x');
      for (const method of ['emit', 'io.emit']) {
        await ask(ours.socket, 'act', method, { value: { of: ['rust', 1.5, null] } });
        for (const { heard, kind } of [ours, theirs]) {
          await eventually(() => heard.length > 0, method, FAR);
          const [[name, value, binary]] = heard.splice(0);
          assert.deepEqual([name, value, bytes(binary)], ['x', { of: ['rust', 1.5, null] }, [1, 2]], kind);
        }
      }
      theirs.socket.on('q', (value, _, done) => done(Buffer.from(value)));
      ours.socket.on('q', (value, _, done) => done(value));
      for (const method of ['emitWithAck', 'io.emitWithAck']) {
        const answers = await ask(ours.socket, 'act', method, { event: 'q', value: 'yes' });
        assert.equal(answers.length, 2);
        assert.ok(answers.includes('yes'));
      }
    } finally {
      hangUp();
      await node.close();
      await rust.kill();
      await redis.kill();
    }
  });
});
