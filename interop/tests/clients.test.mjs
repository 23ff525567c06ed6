import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { CLIENTS, LANES, dial, hangUp, join } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertRefused, member } from '../lib/verdicts.mjs';

const UNKNOWN_TO_US = { message: 'unauthorized', code: 'no_session_cookie' };

describe('every official client, on connect-redis', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;
  let ann;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
    ann = await house.login('ann');
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const { client, transport } of LANES) {
    test(`client ${client} over ${transport}: a user logged in at Express is known`, async () => {
      const me = await house.app.me(ann.cookie);
      assert.equal(me.key, 42);
      await assertGranted(demo, { client, transport, cookie: ann.cookie }, member(me.key));
    });

    test(`client ${client} over ${transport}: a visitor without a login is refused`, async () => {
      await assertRefused(demo, { client, transport }, UNKNOWN_TO_US);
    });
  }

  for (const client of CLIENTS) {
    test(`client ${client}: two users at once are kept apart`, async () => {
      const bob = await house.login('bob');
      await Promise.all([
        assertGranted(demo, { client, cookie: ann.cookie }, member(42)),
        assertGranted(demo, { client, cookie: bob.cookie }, member(7)),
      ]);
    });
  }

  test('a refused 4.x client gets in by connecting again after the login', async () => {
    const line = dial({ url: demo.url });
    assert.equal((await join(line)).message, 'unauthorized');

    const visitor = await house.login('bob');
    line.manager.opts.extraHeaders.cookie = visitor.cookie;
    assert.equal((await join(line)).connected, true);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
