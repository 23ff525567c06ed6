import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { hangUp } from '../lib/clients.mjs';
import { signedValue } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { demoBinary, unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertGuest, assertRefused, member } from '../lib/verdicts.mjs';

const skip = unless('demo', 'redis');

describe('an app that has changed its secret', { skip }, () => {
  let house;
  let demo;

  before(async () => {
    house = await House.onRedis({ secrets: ['the secret since today', 'the secret until yesterday'] });
    demo = await house.open(startDemo);
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const [which, index] of [
    ['new', 0],
    ['old', 1],
  ]) {
    test(`cookies signed with the ${which} secret are valid`, async () => {
      const { sid } = await house.login('ann');
      const cookie = house.cookie(signedValue(sid, house.secrets[index]));
      await assertGranted(demo, { cookie }, member(42));
      assert.equal((await house.app.me(cookie)).key, 42);
    });
  }

  test('cookies signed with a third secret are not', async () => {
    const { sid } = await house.login('ann');
    const cookie = house.cookie(signedValue(sid, 'the secret of the neighbours'));
    await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'bad_signature' });
    assert.equal((await house.app.me(cookie)).status, 401);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('an app with settings of its own', { skip }, () => {
  let house;

  before(async () => {
    house = await House.onRedis({ cookieName: 'chat.sid' });
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('its cookie name is the only one that counts', async () => {
    const demo = await house.open(startDemo);
    const { cookie, value } = await house.login('ann');
    await assertGranted(demo, { cookie }, member(42));

    const underTheDefaultName = `connect.sid=${value}`;
    const refusal = { message: 'unauthorized', code: 'no_session_cookie' };
    await assertRefused(demo, { cookie: underTheDefaultName }, refusal);
    assert.equal((await house.app.me(underTheDefaultName)).status, 401);
  });

  test('--user-pointer finds the user where an app without Passport keeps it', async () => {
    const demo = await house.open(startDemo, { args: ['--user-pointer', '/auth/id'] });
    const cookie = await house.plant(record({ auth: { id: 'ann' } }));
    await assertGranted(demo, { cookie }, member('ann'));

    const { cookie: loggedInWithPassport } = await house.login('ann');
    const refusal = { message: 'unauthorized', code: 'not_logged_in' };
    await assertRefused(demo, { cookie: loggedInWithPassport }, refusal);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('an app with a prefix of its own in Redis', { skip }, () => {
  let house;

  before(async () => {
    house = await House.onRedis({ prefix: 'chat:sess:' });
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('its sessions are found under the same ?prefix=', async () => {
    const demo = await house.open(startDemo);
    const { cookie, sid } = await house.login('ann');
    assert.equal(await house.redis.command('EXISTS', `chat:sess:${sid}`), 1);
    await assertGranted(demo, { cookie }, member(42));
  });

  test('its sessions are not found under the default prefix', async () => {
    const demo = await house.open(startDemo, { store: house.redis.url });
    const { cookie } = await house.login('ann');
    await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'session_not_found' });
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('a demo at a path of its own', { skip }, () => {
  let house;

  before(async () => {
    house = await House.onRedis();
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('--path is where it serves Socket.IO, and where its page looks for it', async () => {
    const demo = await house.open(startDemo, { args: ['--path', '/api/socket.io/'] });
    const { cookie } = await house.login('ann');
    await assertGranted(demo, { cookie, path: '/api/socket.io' }, member(42));
    const script = await (await fetch(`${demo.url}/client.js`)).text();
    assert.match(script, /^const PATH = "\/api\/socket\.io\/";$/m);
    const elsewhere = await fetch(`${demo.url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(elsewhere.status, 404);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe("two demos connected by socketioxide's Redis adapter", { skip }, () => {
  let house;
  let demos;

  before(async () => {
    house = await House.onRedis();
    const args = ['--redis-adapter', house.redis.url, '--cluster-secret', 'of the cluster'];
    demos = [await house.open(startDemo, { args }), await house.open(startDemo, { args })];
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('know their users and refuse all others', async () => {
    const { cookie } = await house.login('ann');
    for (const demo of demos) {
      await assertGranted(demo, { cookie }, member(42));
      await assertGranted(demo, { cookie, ns: '/lobby', client: '2.5' }, member(42));
      await assertRefused(demo, {}, { message: 'unauthorized', code: 'no_session_cookie' });
      await assertGuest(demo, { ns: '/lobby' }, 'no_session_cookie');
    }
  });
});

describe('an invalid command line', { skip }, () => {
  for (const [what, args, says] of [
    ['a store without a secret', ['--store', 'redis://127.0.0.1:1/'], /--secret \(or SESSION_SECRET\)/],
    ['an unknown store', ['--store', 'dbase:x', '--secret', 's'], /redis:\/\/HOST.*sqlite:PATH/],
    ['a store of an unknown layout', ['--store', 'sqlite:./nowhere?layout=prisma', '--secret', 's'], /connect-sqlite3, better-sqlite3, knex/],
    ['a store whose password is no URL', ['--store', 'redis://:a/b@127.0.0.1/', '--secret', 's'], /%2F/],
    ['an origin with a path', ['--store', 'memory:', '--origin', 'https://a.example/x'], /is no origin/],
    ['a proxy that is no network', ['--store', 'memory:', '--trust-proxy', 'nginx'], /is no network/],
    ['a name that no cookie has', ['--store', 'memory:', '--cookie-name', 'a b'], /cookie's name/],
    ['an empty secret', ['--store', 'memory:', '--secret', ''], /secret/],
    ['an adapter without a cluster secret', ['--store', 'memory:', '--redis-adapter', 'redis://127.0.0.1:1/'], /--cluster-secret \(or PASSPORT_SOCKETIO_CLUSTER_SECRET\)/],
    ['an empty cluster secret', ['--store', 'memory:', '--cluster-secret', ''], /cluster's secret is empty/],
    ['a name that no cluster has', ['--store', 'memory:', '--cluster-name', 'a b'], /cluster's name/],
  ]) {
    test(`${what}: it says so and ends with status 1`, async () => {
      const { code, stderr } = await runToItsEnd(demoBinary, ['demo', '--listen', '127.0.0.1:0', ...args]);
      assert.match(stderr, /^error: /m);
      assert.match(stderr, says);
      assert.equal(code, 1);
    });
  }
});
