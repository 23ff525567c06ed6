import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CLIENTS, TRANSPORTS, ask, connect, dial, hangUp, join } from '../lib/clients.mjs';
import { withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertGuest, assertLogged, assertRefused, member, turnedAway } from '../lib/verdicts.mjs';
import { eventually } from '../lib/wait.mjs';

const skip = unless('demo', 'redis');

const ANSWER_MS = 4_000;
const RECOVERY_MS = 15_000;

// What the log may say: a driver that still tries to reconnect when the time is up has timed out, and one that
// has tried in vain, also with a server that no longer answers, has none to ask.
const NO_STORE = ['store_unavailable', 'store_timeout'];

// How Redis fails · how it comes back.
const OUTAGES = [
  {
    name: 'killed',
    fail: (redis) => redis.kill(),
    recover: (redis) => redis.restart(),
  },
  {
    name: 'stopped in its tracks (connections open, no answers)',
    fail: (redis) => redis.freeze(),
    recover: (redis) => redis.thaw(),
  },
];

for (const { name, fail, recover } of OUTAGES) {
  describe(`while Redis is ${name}`, { skip }, () => {
    let house;
    let demo;
    let ann;
    let connectedBefore;
    let linesBefore;

    before(async () => {
      house = await House.onRedis();
      demo = await house.open(startDemo);
      ann = await house.login('ann');
      connectedBefore = await assertGranted(demo, { cookie: ann.cookie }, member(42));
      linesBefore = [];
      for (const client of CLIENTS) {
        const mark = demo.log.mark();
        const line = dial({ url: demo.url, client, cookie: ann.cookie });
        assert.equal((await join(line, '/')).connected, true);
        await assertLogged(demo, mark, 'granted');
        linesBefore.push(line);
      }
      await fail(house.redis);
    });
    after(async () => {
      hangUp();
      await house?.close();
    });

    async function assertTryAgain(request) {
      const start = performance.now();
      const refusal = { ...turnedAway(503, request), code: NO_STORE };
      await assertRefused(demo, { cookie: ann.cookie, ...request }, refusal);
      const elapsed = performance.now() - start;
      assert.ok(elapsed < ANSWER_MS, `answered after ${Math.round(elapsed)} ms`);
    }

    CLIENTS.forEach((client, n) => {
      for (const transport of TRANSPORTS) {
        test(`client ${client} over ${transport}: a member reads try_again in time`, () =>
          assertTryAgain({ client, transport }));
      }

      test(`client ${client}: a connected member reads it in the next namespace`, async () => {
        const refused = { connected: false, message: 'try_again', status: undefined };
        assert.deepEqual(await join(linesBefore[n], '/lobby'), refused);
      });
    });

    test('a member does not become a guest where guests are allowed', () => assertTryAgain({ ns: '/lobby' }));

    test('a visitor without a cookie is a guest: the store is not asked', async () => {
      await assertGuest(demo, { ns: '/lobby' }, 'no_session_cookie');
    });

    test('a forged cookie is refused: the store is not asked', async () => {
      const cookie = house.cookie(withBrokenSignature(ann.value));
      await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'bad_signature' });
    });

    test('a client that was connected before still is', async () => {
      assert.deepEqual(await ask(connectedBefore, 'whoami'), member(42));
    });

    test('once Redis is back, members connect again', async () => {
      await recover(house.redis);
      const { cookie } = await house.login('bob');
      await eventually(
        async () => (await connect({ url: demo.url, cookie })).connected,
        'the server to reach Redis again',
        RECOVERY_MS,
      );
      await assertGranted(demo, { cookie }, member(7));
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}
