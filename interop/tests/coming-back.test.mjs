import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { LANES, ask, dial, hangUp as hangUpAll, join } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { engineUrl, send } from '../lib/http.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startTransports } from '../lib/servers.mjs';
import { assertLogged } from '../lib/verdicts.mjs';
import { happens, within } from '../lib/wait.mjs';

const skip = unless('transports', 'redis');

/** The handler of docs/handshake.md, word for word. */
function doAsTheGuideSays(socket) {
  let invitedBack = false;
  socket.on('session_ended', ({ reconnect }) => {
    invitedBack = reconnect;
  });
  socket.on('disconnect', (reason) => {
    if (invitedBack && reason === 'io server disconnect') socket.connect();
  });
}

// A client that is about to try again must not do so after hangUp.
const waiting = new Set();

function hangUp() {
  waiting.forEach((timer) => clearTimeout(timer));
  waiting.clear();
  hangUpAll();
}

/** The guide's handler for refused clients. A client 2.x that was refused in `/` does not ask there again. */
function tryAgainAsTheGuideSays(socket, { hangUp: hangsUp }) {
  const tryAgain = () => (hangsUp ? socket.io.engine.close() : socket.connect());
  for (const event of ['connect_error', 'error']) {
    socket.on(event, ({ message }) => {
      if (message === 'try_again') waiting.add(setTimeout(tryAgain, 1000 + 4000 * Math.random()));
    });
  }
}

for (const layer of ['over', 'plain', 'none']) {
  describe(`clients after an end with reconnect (layer: ${layer})`, { skip }, () => {
    let house;
    let server;

    before(async () => {
      house = await House.onRedis();
      server = await house.open(startTransports, { layer });
    });
    afterEach(hangUp);
    after(() => house?.close());

    for (const lane of LANES) {
      test(`client ${lane.client} over ${lane.transport}: it reconnects each time, and never twice`, async () => {
        const { cookie, sid } = await house.login('ann');
        const line = dial({ url: server.url, cookie, ...lane, reconnection: true });
        const { socket } = await join(line, '/');
        doAsTheGuideSays(socket);
        let connects = 0;
        socket.on('connect', () => {
          connects += 1;
        });
        const invitations = [7, 42, 7];
        for (const [n, user] of invitations.entries()) {
          const back = happens(socket, 'disconnect').then(() => happens(socket, 'connect'));
          await house.redis.command('SET', `sess:${sid}`, record({ passport: { user } }));
          await within(back, 'it to come back');
          assert.equal((await ask(socket, 'whoami')).user, user);
          assert.equal(connects, n + 1);
        }
      });
    }

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}

/** The code and the time that a client reads for each refused attempt to open its connection. */
function refusalsOf(socket) {
  const refusals = [];
  socket.on('connect_error', ({ message, description }) => {
    refusals.push({ message, status: typeof description === 'number' ? description : undefined, at: performance.now() });
  });
  return refusals;
}

/** A WebSocket does not show its status. */
function assertAre(refusals, status, { client, transport }) {
  const lane = `client ${client} over ${transport}`;
  const expected = transport === 'websocket' ? ['websocket error', undefined] : ['xhr poll error', status];
  assert.ok(refusals.length > 0, `${lane} was refused`);
  for (const refusal of refusals) assert.deepEqual([refusal.message, refusal.status], expected, lane);
}

for (const layer of ['over', 'plain']) {
  describe(`clients that open too many connections (layer: ${layer})`, { skip }, () => {
    let house;
    let server;

    before(async () => {
      house = await House.onRedis();
      server = await house.open(startTransports, { layer, options: 'limit-handshakes' });
    });
    afterEach(hangUp);
    after(() => house?.close());

    /** Of a client that may open one connection in three seconds. */
    let addresses = 0;
    const newcomer = () => ({ 'x-forwarded-for': `10.0.0.${(addresses += 1)}` });
    const spendAllowance = (headers) => send(engineUrl(server, 'polling'), { headers });

    test('the answer has Retry-After', async () => {
      const headers = newcomer();
      assert.equal((await spendAllowance(headers)).status, 200);
      const mark = server.log.mark();
      const refused = await spendAllowance(headers);
      assert.equal(refused.status, 429);
      assert.equal(refused.body, '{"code":"try_again"}');
      assert.match(refused.headers['retry-after'], /^[123]$/);
      await assertLogged(server, mark, 'rate_limited');
    });

    test('all clients and transports connect by themselves after the limit', async () => {
      const { cookie } = await house.login('ann');
      await Promise.all(
        LANES.map(async (lane) => {
          const headers = newcomer();
          await spendAllowance(headers);
          const { manager } = dial({ url: server.url, ...lane, cookie, headers, reconnection: true });
          const socket = manager.socket('/');
          const refusals = refusalsOf(socket);
          await within(happens(socket, 'connect'), JSON.stringify(lane), 20_000);
          assertAre(refusals, 429, lane);
          assert.equal((await ask(socket, 'whoami')).user, 42);
          // None of them reads Retry-After, which said at least one second. That does no harm: refusals do not count.
          assert.ok(refusals[1].at - refusals[0].at < 1_000, JSON.stringify(lane));
        }),
      );
    });

    test('clients that lost their connection also connect by themselves', async () => {
      const { cookie } = await house.login('ann');
      await Promise.all(
        LANES.map(async (lane) => {
          const line = dial({ url: server.url, ...lane, cookie, headers: newcomer(), reconnection: true });
          const { socket } = await join(line, '/');
          const refusals = refusalsOf(socket);
          const back = happens(socket, 'disconnect').then(() => happens(socket, 'connect'));
          line.manager.engine.close();
          await within(back, JSON.stringify(lane), 20_000);
          assertAre(refusals, 429, lane);
          assert.equal((await ask(socket, 'whoami')).user, 42);
        }),
      );
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}

for (const layer of ['over', 'plain']) {
  for (const options of ['', 'retry-at-http']) {
    describe(`clients that read try_again (layer: ${layer}, options: ${options || 'none'})`, { skip }, () => {
      let house;
      let server;

      before(async () => {
        house = await House.onRedis({ durable: true });
        server = await house.open(startTransports, { layer, options });
      });
      afterEach(hangUp);
      after(() => house?.close());

      test("all clients and transports connect with the guide's handler", async () => {
        const { cookie } = await house.login('ann');
        await house.redis.kill();
        const members = LANES.map((lane) => {
          const { manager } = dial({ url: server.url, ...lane, cookie, reconnection: true });
          const socket = manager.socket('/');
          tryAgainAsTheGuideSays(socket, { hangUp: lane.client === '2.5' && layer === 'plain' });
          const refused = Promise.race(['connect_error', 'error'].map((event) => happens(socket, event)));
          return { lane, socket, refused, came: happens(socket, 'connect') };
        });
        for (const { lane, refused } of members) await within(refused, JSON.stringify(lane), 10_000);
        await house.redis.restart();
        for (const { lane, socket, came } of members) {
          await within(came, JSON.stringify(lane), 20_000);
          assert.equal((await ask(socket, 'whoami')).user, 42);
        }
      });

      test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
    });
  }
}

describe('a store that is away for longer than the outage grace', { skip }, () => {
  let house;
  let server;

  before(async () => {
    house = await House.onRedis({ durable: true });
    server = await house.open(startTransports, { options: 'retry-at-http short-grace' });
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('all clients lose their connection and reconnect once the store is back', async () => {
    const { cookie } = await house.login('ann');
    const members = [];
    for (const lane of LANES) {
      const line = dial({ url: server.url, ...lane, cookie, reconnection: true });
      const { socket } = await join(line, '/');
      members.push({ lane, socket, refusals: refusalsOf(socket), told: happens(socket, 'session_ended') });
    }
    await house.redis.kill();
    for (const { lane, socket, told } of members) {
      assert.deepEqual(await within(told, JSON.stringify(lane), 15_000), {
        code: 'store_unavailable',
        reconnect: true,
      });
      await within(happens(socket, 'connect_error'), JSON.stringify(lane), 10_000);
    }
    const back = members.map(({ lane, socket }) => within(happens(socket, 'connect'), JSON.stringify(lane), 30_000));
    await house.redis.restart();
    await Promise.all(back);
    for (const { lane, socket, refusals } of members) {
      assertAre(refusals, 503, lane);
      assert.equal((await ask(socket, 'whoami')).user, 42);
    }
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
