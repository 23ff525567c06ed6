import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertRefused, member } from '../lib/verdicts.mjs';

const FORGED = { message: 'unauthorized', code: 'bad_signature' };

describe('grants, as Express would', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
  });
  afterEach(hangUp);
  after(() => house?.close());

  /** The socket server and the Express app both see the user with this key. */
  async function assertBothSee(key, cookie) {
    await assertGranted(demo, { cookie }, member(key));
    const me = await house.app.me(cookie);
    assert.equal(me.status, 200);
    assert.deepEqual(me.key, key);
  }

  for (const [name, key] of [
    ['zero', 0],
    ['olga', { provider: 'ldap', dn: 'cn=olga' }],
  ]) {
    test(`the user key ${JSON.stringify(key)} is a user`, async () => {
      await assertBothSee(key, (await house.login(name)).cookie);
    });
  }

  test("the user of the original module's tests logs in with his password", async () => {
    await assertBothSee(1, (await house.login('jose', 'Pa123')).cookie);
  });

  test('after a login as another user the cookie belongs to the new one', async () => {
    const visitor = await house.login('ann');
    await visitor.login('bob');
    await assertBothSee(7, visitor.cookie);
  });

  // In Redis the key's own lifetime rules: connect-redis with disableTTL, and any
  // session kept alive by touch, leave a date in the record that has gone by.
  test('a record without a TTL is valid although the date in it is past', async () => {
    const lastYear = new Date(Date.now() - 365 * 24 * 60 * 60 * 1000);
    await assertBothSee(42, await house.plant(record({ passport: { user: 42 } }, lastYear)));
  });

  test('of two session cookies the first one counts: valid, then forged', async () => {
    const { value } = await house.login('ann');
    await assertBothSee(42, `${house.cookie(value)}; ${house.cookie(withBrokenSignature(value))}`);
  });

  test('of two session cookies the first one counts: forged, then valid', async () => {
    const { value } = await house.login('ann');
    const cookie = `${house.cookie(withBrokenSignature(value))}; ${house.cookie(value)}`;
    await assertRefused(demo, { cookie }, FORGED);
    assert.equal((await house.app.me(cookie)).status, 401);
  });

  test('of two session cookies the first one counts: one user, then another', async () => {
    const [ann, bob] = [await house.login('ann'), await house.login('bob')];
    await assertBothSee(7, `${bob.cookie}; ${ann.cookie}`);
    await assertBothSee(42, `${ann.cookie}; ${bob.cookie}`);
  });

  for (const [how, write] of [
    ['between other cookies', (value) => `theme=dark; connect.sid=${value}; lang=en`],
    ['without spaces', (value) => `theme=dark;connect.sid=${value};lang=en`],
    ['in double quotes', (value) => `connect.sid="${value}"`],
    ['not percent-encoded', (value) => `connect.sid=${decodeURIComponent(value)}`],
  ]) {
    test(`the cookie is read ${how}`, async () => {
      const { value } = await house.login('ann');
      await assertBothSee(42, write(value));
    });
  }

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
