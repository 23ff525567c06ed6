import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { CLIENTS, LANES, ask, connect, dial, hangUp, join } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { engineUrl, send, shakeHands } from '../lib/http.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startTransports } from '../lib/servers.mjs';
import { assertLogged } from '../lib/verdicts.mjs';
import { happens, within } from '../lib/wait.mjs';

const skip = unless('transports', 'redis');
const FORBIDDEN = { code: 'forbidden' };

/** What a client makes of a connection that was refused as such. */
const refusedWith = (status) => ({ connected: false, message: 'xhr poll error', status });

for (const layer of ['plain', 'over']) {
  describe(`refusals at HTTP level (layer: ${layer})`, { skip }, () => {
    let house;
    let server;

    before(async () => {
      house = await House.onRedis();
      server = await house.open(startTransports, { layer, options: 'refuse-at-http' });
    });
    afterEach(hangUp);
    after(() => house?.close());

    for (const client of CLIENTS) {
      test(`client ${client}: it reads the status over polling, and an error over WebSocket`, async () => {
        const mark = server.log.mark();
        assert.deepEqual(await connect({ url: server.url, client, transport: 'polling' }), refusedWith(401));
        await assertLogged(server, mark, 'no_session_cookie');
        const overWebSocket = await connect({ url: server.url, client, transport: 'websocket' });
        assert.deepEqual(overWebSocket, { connected: false, message: 'websocket error', status: undefined });
      });

      test(`client ${client}: it connects by itself after a login`, async () => {
        const ann = await house.login('ann');
        const bare = house.cookie(`${ann.value}x`);
        const line = dial({ url: server.url, client, transport: 'polling', cookie: bare, reconnection: true });
        assert.deepEqual(await join(line, '/'), refusedWith(401));
        const socket = line.manager.socket('/');
        const connected = happens(socket, 'connect');
        line.manager.opts.extraHeaders.cookie = ann.cookie;
        await within(connected, 'it to come back');
        assert.equal((await ask(socket, 'whoami')).user, 42);
      });
    }

    test('the answer is only a code', async () => {
      const answer = await send(engineUrl(server, 'polling'));
      assert.equal(answer.status, 401);
      assert.equal(answer.body, '{"code":"unauthorized"}');
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal((await shakeHands(engineUrl(server, 'websocket'))).body, '{"code":"unauthorized"}');
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });

  describe(`a store that is away for a moment (layer: ${layer})`, { skip }, () => {
    let house;
    let server;

    before(async () => {
      house = await House.onRedis({ durable: true });
      server = await house.open(startTransports, { layer, options: 'retry-at-http' });
    });
    afterEach(hangUp);
    after(() => house?.close());

    test('all official clients and transports come back by themselves', async () => {
      const { cookie } = await house.login('ann');
      await house.redis.kill();
      const lines = LANES.map((lane) => ({
        lane,
        ...dial({ url: server.url, ...lane, cookie, reconnection: true }),
      }));
      const sockets = lines.map(({ manager }) => manager.socket('/'));
      const refusals = await Promise.all(
        sockets.map((socket) => within(happens(socket, 'connect_error'), 'a refusal', 10_000)),
      );
      refusals.forEach((error, n) => {
        const expected = lines[n].lane.transport === 'websocket' ? undefined : 503;
        assert.equal(error.description === 503 ? 503 : undefined, expected, JSON.stringify(lines[n].lane));
      });
      const back = sockets.map((socket, n) => within(happens(socket, 'connect'), JSON.stringify(lines[n].lane), 30_000));
      await house.redis.restart();
      await Promise.all(back);
      for (const socket of sockets) assert.equal((await ask(socket, 'whoami')).user, 42);
    });

    test('the answer has Retry-After, and no client becomes a guest', async () => {
      const { cookie } = await house.login('ann');
      await house.redis.kill();
      try {
        const answer = await send(engineUrl(server, 'polling'), { headers: { cookie } });
        assert.equal(answer.status, 503);
        assert.equal(answer.body, '{"code":"try_again"}');
        assert.match(answer.headers['retry-after'], /^[1-5]$/);
      } finally {
        await house.redis.restart();
      }
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });

  describe(`the owner of a connection (layer: ${layer})`, { skip }, () => {
    let house;
    let server;

    before(async () => {
      house = await House.onRedis();
      server = await house.open(startTransports, { layer });
    });
    afterEach(hangUp);
    after(() => house?.close());

    for (const lane of LANES) {
      test(`client ${lane.client} over ${lane.transport}: only its owner may use a connection`, async () => {
        const ann = await house.login('ann');
        const bob = await house.login('bob');
        const line = dial({ url: server.url, cookie: ann.cookie, ...lane });
        const { socket } = await join(line, '/');
        let ended = false;
        socket.on('disconnect', () => {
          ended = true;
        });
        const eio = lane.client === '2.5' ? 3 : 4;
        const query = `EIO=${eio}&sid=${line.manager.engine.id}`;
        const mark = server.log.mark();
        // A WebSocket that was none from the start has an id that no other transport can use.
        const status = lane.transport === 'websocket' ? 400 : 403;
        for (const headers of [{}, { cookie: bob.cookie }]) {
          const url = `${server.url}/socket.io/?transport=polling&${query}`;
          const text = { ...headers, 'content-type': 'text/plain' };
          for (const answer of [
            await send(url, { headers }),
            await send(url, { method: 'POST', headers: text, body: eio === 3 ? '1:1' : '1' }),
          ]) {
            assert.equal(answer.status, status);
            if (status === 403) assert.deepEqual(JSON.parse(answer.body), FORBIDDEN);
          }
          if (status === 400) continue;
          const upgrade = await shakeHands(`${server.url}/socket.io/?transport=websocket&${query}`, { headers });
          assert.equal(upgrade.status, 403);
        }
        if (status === 403) await assertLogged(server, mark, 'other_session');
        assert.equal((await ask(socket, 'whoami')).user, 42);
        assert.equal(ended, false);
      });
    }

    test('after a login with a new session id the client reconnects with it', async () => {
      const ann = await house.login('ann');
      const line = dial({ url: server.url, cookie: ann.cookie, transport: 'polling', reconnection: true });
      const { socket } = await join(line, '/');
      const back = happens(socket, 'disconnect').then(() => happens(socket, 'connect'));
      const bob = await house.login('bob');
      line.manager.opts.extraHeaders.cookie = bob.cookie;
      line.manager.engine.opts.extraHeaders = { cookie: bob.cookie };
      line.manager.engine.transport.opts.extraHeaders = { cookie: bob.cookie };
      socket.emit('anything');
      await within(back, 'it to come back');
      assert.equal((await ask(socket, 'whoami')).user, 7);
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}
