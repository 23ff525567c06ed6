import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { broadcasts } from '../lib/broadcasts.mjs';
import { CLIENTS, ask, connect, hangUp } from '../lib/clients.mjs';
import { withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startReadmePort } from '../lib/servers.mjs';
import { assertGranted, assertLogged, assertRefused, turnedAway } from '../lib/verdicts.mjs';
import { eventually } from '../lib/wait.mjs';

const ANN = { id: 42, name: 'ann', gender: 'female' };
const JOSE = { id: 1, name: 'jose', gender: 'male' };
const ZERO = { id: 0, name: 'zero', gender: 'male' };
const ANSWER_MS = 4_000;

// Words of the driver or of the store's layout, which no client may read.
const DETAILS = /redis|127\.0\.0\.1|ECONN|os error|connection refused|broken pipe|sess:/i;

describe("the port of the original's README", { skip: unless('readmePort', 'redis') }, () => {
  let house;
  let server;

  before(async () => {
    house = await House.onRedis({ cookieName: 'express.sid' });
    server = await house.open(startReadmePort);
  });
  afterEach(hangUp);
  after(() => house?.close());

  const connectTo = (ns, cookie, to = server) => connect({ url: to.url, ns, cookie });

  for (const client of CLIENTS) {
    test(`client ${client}: refused when the user is not logged in`, async () => {
      await assertRefused(server, { client }, { message: 'unauthorized', code: 'no_session_cookie' });
    });

    test(`client ${client}: connected when the user is logged in`, async () => {
      const { cookie } = await house.login('jose', 'Pa123');
      await assertGranted(server, { client, cookie }, JOSE);
    });

    test(`client ${client}: it reads the exact text of the success hook's Reject`, async () => {
      const { cookie } = await house.login('ann');
      const refusal = { message: 'optional reason', code: 'rejected' };
      await assertRejected({ client, ns: '/rejected', cookie }, refusal);
    });

    test(`client ${client}: a foreign origin is refused`, async () => {
      const { cookie } = await house.login('ann');
      const request = { client, cookie, headers: { origin: 'https://evil.example' }, transport: 'polling' };
      await assertRefused(server, request, { ...turnedAway(403, request), code: 'origin_not_allowed' });
    });
  }

  // A 2.x client's own visit to the root namespace, unasked, is granted in the same log.
  async function assertRejected(request, { message, code }) {
    const mark = server.log.mark();
    const verdict = await connect({ url: server.url, ...request });
    assert.deepEqual(verdict, { connected: false, message, status: undefined });
    await assertLogged(server, mark, code);
  }

  test('user id 0 is a user', async () => {
    await assertGranted(server, { cookie: (await house.login('zero')).cookie }, ZERO);
  });

  test("a user key of another type than the deserializer's is an error", async () => {
    const { cookie } = await house.login('olga');
    await assertRefused(server, { cookie }, { message: 'try_again', code: 'deserializer_failed' });
  });

  test('a user who is no longer in the table is refused, by Express too', async () => {
    const cookie = await house.plant(record({ passport: { user: 999 } }));
    await assertRefused(server, { cookie }, { message: 'unauthorized', code: 'user_not_found' });
    assert.equal((await house.app.me(cookie)).status, 401);
  });

  test('filter_sockets_by_user greets only the women, on all their sockets', async () => {
    // A server of its own, where no client of another test is still disconnecting.
    const quiet = await house.open(startReadmePort);
    const [ann, jose] = [await house.login('ann'), await house.login('jose', 'Pa123')];
    const women = [await enter(quiet, ann.cookie), await enter(quiet, ann.cookie)];
    const man = await enter(quiet, jose.cookie);
    const heardByWomen = women.map((socket) => broadcasts(socket, 'messsage'));
    const heardByMan = broadcasts(man, 'messsage');

    assert.equal(await ask(man, 'greet women'), 2);
    for (const heard of heardByWomen) await heard.until((text) => text === 'hello, woman!', 'the greeting');
    // What a socket was sent arrives in order: a greeting would be here before this answer.
    await ask(man, 'whoami');
    assert.deepEqual(heardByMan.heard, []);
  });

  async function enter(to, cookie) {
    const { connected, socket, message } = await connectTo('/', cookie, to);
    assert.ok(connected, message);
    return socket;
  }

  for (const [who, cookieOf, code] of [
    ['no cookie', () => undefined, 'no_session_cookie'],
    ['forged', ({ value }) => house.cookie(withBrokenSignature(value)), 'bad_signature'],
  ]) {
    test(`a fail hook may refuse with its message, without details: ${who}`, async () => {
      const mark = server.log.mark();
      const { connected, message } = await connectTo('/refuse-with-reason', cookieOf(await house.login('ann')));
      assert.equal(connected, false);
      assert.ok(message.length > 0);
      assert.doesNotMatch(message, DETAILS);
      await assertLogged(server, mark, code);
    });
  }

  test('a fail hook may accept every client unless there is an error', async () => {
    assert.equal((await connectTo('/all-unless-error')).connected, true);
  });

  for (const client of CLIENTS) {
    test(`client ${client}: success decides before the socket is connected`, async () => {
      const observer = await enter(server, (await house.login('jose', 'Pa123')).cookie);
      const { cookie } = await house.login('ann');
      let answered = false;
      const candidate = connect({ url: server.url, client, ns: '/gated', cookie }).finally(() => {
        answered = true;
      });

      await eventually(async () => (await ask(observer, 'pending')) === 1, 'success to be called');
      await ask(observer, 'whoami');
      assert.equal(answered, false, 'not connected before accept');

      await ask(observer, 'accept');
      assert.equal((await candidate).connected, true, 'connected after accept');
    });
  }

  test('success is not called for a visitor who is not logged in', async () => {
    const observer = await enter(server, (await house.login('jose', 'Pa123')).cookie);
    assert.deepEqual(await connectTo('/gated'), {
      connected: false,
      message: 'unauthorized',
      status: undefined,
    });
    assert.equal(await ask(observer, 'pending'), 0);
  });

  test('with the store down, no guest: the client reads try_again only', async () => {
    const { cookie } = await house.login('ann');
    await house.redis.kill();
    try {
      for (const ns of ['/all-unless-error', '/refuse-with-reason', '/']) {
        const start = performance.now();
        const { connected, message } = await connectTo(ns, cookie);
        assert.ok(performance.now() - start < ANSWER_MS);
        assert.equal(connected, false, ns);
        if (ns === '/refuse-with-reason') assert.doesNotMatch(message, DETAILS);
        else assert.equal(message, 'try_again', ns);
      }
    } finally {
      await house.redis.restart();
    }
    const { cookie: later } = await house.login('ann');
    await eventually(async () => (await connectTo('/', later)).connected, 'the server to reach Redis again', 15_000);
    await assertGranted(server, { cookie: later }, ANN);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
