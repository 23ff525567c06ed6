import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { CLIENTS, LANES, TRANSPORTS, ask, connect, dial, hangUp, join } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { openRaw } from '../lib/raw.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startTransports } from '../lib/servers.mjs';
import { LAST_WORDS_MS } from '../lib/tabs.mjs';
import { eventually, happens, within } from '../lib/wait.mjs';

// `.connect_within` of the server under test.
const CONNECT_WITHIN_MS = 2_000;
// The extra delay of a busy machine.
const SLACK_MS = 900;

function assertAbout(took, expected) {
  assert.ok(took > expected - 100 && took < expected + SLACK_MS, `${Math.round(took)} ms, not ${expected}`);
}

describe("layer_over closes connections", { skip: unless('transports', 'redis') }, () => {
  let house;
  let server;

  before(async () => {
    house = await House.onRedis();
    server = await house.open(startTransports, { layer: 'over' });
  });
  afterEach(hangUp);
  after(() => house?.close());

  const whoIs = async (socket) => (await ask(socket, 'whoami')).user;

  /** The session is now another user's, as Passport up to 0.5 made it by a login. */
  const change = ({ sid }, user) => house.redis.command('SET', `sess:${sid}`, record({ passport: { user } }));

  async function openConnection(options) {
    const verdict = await connect({ url: server.url, ...options });
    assert.ok(verdict.connected, verdict.message);
    return verdict.socket;
  }

  for (const lane of LANES) {
    const name = `client ${lane.client} over ${lane.transport}`;

    test(`${name}: members and guests are let in, in several namespaces`, async () => {
      const { cookie } = await house.login('ann');
      const line = dial({ url: server.url, cookie, ...lane });
      for (const namespace of ['/', '/lobby']) {
        const { socket, message } = await join(line, namespace);
        assert.ok(socket, message);
        assert.equal(await whoIs(socket), 42);
      }
      const guest = await openConnection({ ...lane, ns: '/lobby' });
      assert.equal(await whoIs(guest), null);
    });

    test(`${name}: it comes back by itself after an end with reconnect`, async () => {
      const ann = await house.login('ann');
      const line = dial({ url: server.url, cookie: ann.cookie, ...lane, reconnection: true });
      const { socket } = await join(line, '/');
      const notices = [];
      socket.on('session_ended', (notice) => notices.push(notice));
      const disconnected = happens(socket, 'disconnect');
      const back = disconnected.then(() => happens(socket, 'connect'));
      await change(ann, 7);
      const reason = await within(disconnected, 'the disconnect');
      assert.deepEqual(notices, [{ code: 'user_changed', reconnect: true }]);
      assert.ok(['transport close', 'transport error'].includes(reason), reason);
      await within(back, 'it to come back');
      assert.equal(await whoIs(socket), 7);
    });

    test(`${name}: a logout disconnects it, and it does not come back`, async () => {
      const ann = await house.login('ann');
      const line = dial({ url: server.url, cookie: ann.cookie, ...lane, reconnection: true });
      const { socket } = await join(line, '/');
      const disconnected = happens(socket, 'disconnect');
      const attempts = [];
      line.manager.on('reconnect_attempt', (attempt) => attempts.push(attempt));
      await ann.logout();
      assert.deepEqual(await within(disconnected, 'the disconnect'), 'io server disconnect');
      await new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS + SLACK_MS));
      assert.deepEqual(attempts, []);
    });
  }

  test('a client that ignores its disconnect is closed within a second', async () => {
    const ann = await house.login('ann');
    const raw = await openRaw(server, ann);
    raw.send('40');
    await raw.until('40{');
    await ann.logout();
    const told = await raw.until('42["session_ended"');
    assertAbout((await raw.closed()) - told, LAST_WORDS_MS);
    assert.equal(raw.packets.at(-1), '41');
  });

  test('a client that does not read is closed', async () => {
    const [ann, bob] = [await house.login('ann'), await house.login('bob')];
    const { socket: bobs } = await join(dial({ url: server.url, cookie: bob.cookie }), '/');
    const flooded = happens(bobs, 'flooded');
    const raw = await openRaw(server, ann);
    raw.send('40');
    await raw.until('40{');
    raw.pause();
    raw.send('42["flood"]');
    await within(flooded, 'her buffer to be full');
    await ann.logout();
    // Even if it reads later, the server sends it nothing after what was sent already.
    await new Promise((resolve) => setTimeout(resolve, 2 * (LAST_WORDS_MS + SLACK_MS)));
    raw.resume();
    await raw.closed();
    assert.ok(raw.packets.filter((packet) => packet.startsWith('42["news"')).length < 128, 'it did not receive everything');
    assert.notEqual(raw.packets.at(-1), '41');
  });

  test('a client that abandons its upgrade is closed', async () => {
    const url = `${server.url}/socket.io/?EIO=4&transport=`;
    const opened = await (await fetch(`${url}polling`)).text();
    const { sid } = JSON.parse(opened.slice(1));
    const polling = `${url}polling&sid=${sid}`;
    // A guest, who is in a namespace: no other timer runs.
    await fetch(polling, { method: 'POST', body: '40/lobby,' });
    const { hostname, port, pathname, search } = new URL(`${url}websocket&sid=${sid}`);
    const headers = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    const raw = createConnection({ host: hostname, port: Number(port) });
    raw.write([`GET ${pathname}${search} HTTP/1.1`, `Host: ${hostname}:${port}`, ...headers, key, '', ''].join('\r\n'));
    const [answer] = await once(raw, 'data');
    assert.match(answer.toString(), /^HTTP\/1.1 101 /);
    raw.destroy();
    await eventually(async () => (await fetch(polling, { method: 'POST', body: '3' })).status === 400, 'it is closed');
  });

  test('a client that sends nothing is closed', async () => {
    const { cookie } = await house.login('ann');
    for (const pongs of [true, false]) {
      const opened = performance.now();
      const raw = await openRaw(server, { cookie, pongs });
      assertAbout((await raw.closed()) - opened, CONNECT_WITHIN_MS);
    }
  });

  test('a client that is refused again and again is closed', async () => {
    const raw = await openRaw(server);
    for (let n = 0; n < 5; n += 1) {
      raw.send('40');
      await raw.until('44{"message":"unauthorized"}', n + 1);
    }
    const told = performance.now();
    assertAbout((await raw.closed()) - told, LAST_WORDS_MS);
  });

  for (const transport of TRANSPORTS) {
    test(`a refused client 2.5 over ${transport} is closed`, async () => {
      const line = dial({ url: server.url, client: '2.5', transport });
      const { engine } = line.manager;
      const closed = happens(engine, 'close').then(() => performance.now());
      const opened = performance.now();
      assert.deepEqual(await join(line, '/'), { connected: false, message: 'unauthorized', status: undefined });
      assertAbout((await within(closed, 'the end of its connection')) - opened, CONNECT_WITHIN_MS);
    });
  }

  for (const client of CLIENTS) {
    test(`client ${client}: refused in one namespace and a guest in another, it stays`, async () => {
      const line = dial({ url: server.url, client });
      assert.equal((await join(line, '/')).connected, false);
      const { socket } = await join(line, '/lobby');
      const lost = happens(socket, 'disconnect').then(() => 'lost');
      const later = new Promise((resolve) => setTimeout(resolve, CONNECT_WITHIN_MS + SLACK_MS, 'there'));
      assert.equal(await Promise.race([lost, later]), 'there');
      assert.equal(await whoIs(socket), null);
    });
  }

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
