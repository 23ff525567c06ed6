import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { CLIENTS, hangUp } from '../lib/clients.mjs';
import { randomSid, signedValue, withBrokenSignature, withOtherSid } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { eventually } from '../lib/wait.mjs';
import { assertGranted, assertRefused, member } from '../lib/verdicts.mjs';

// What sort of visitor · how the Cookie header comes about · the code in the log.
// Express answers 401 to each of them, and the client reads `unauthorized`.
const UNAUTHORIZED = [
  ['without any cookie', async () => undefined, 'no_session_cookie'],
  ['with cookies of other names only', async () => 'theme=dark; connect.sid2=x', 'no_session_cookie'],
  [
    'whose cookie name differs in case',
    async (house) => `Connect.Sid=${(await house.login('ann')).value}`,
    'no_session_cookie',
  ],
  ['who sends the bare session id', async (house) => house.cookie((await house.login('ann')).sid), 'malformed_cookie'],
  [
    'whose signature was tampered with',
    async (house) => house.cookie(withBrokenSignature((await house.login('ann')).value)),
    'bad_signature',
  ],
  [
    'whose session id was tampered with',
    async (house) => house.cookie(withOtherSid((await house.login('ann')).value)),
    'bad_signature',
  ],
  [
    'whose cookie was signed with another secret',
    async (house) => house.cookie(signedValue((await house.login('ann')).sid, 'not the secret of this house')),
    'bad_signature',
  ],
  [
    'whose session never existed',
    async (house) => house.cookie(signedValue(randomSid(), house.secret)),
    'session_not_found',
  ],
  ['who has logged out', loggedOut, 'session_not_found'],
  ['whose session ran out in Redis', ranOut, 'session_not_found'],
  ['whose record is empty', (house) => house.plant(''), 'session_not_found'],
  [
    'who has a session but never logged in',
    async (house) => (await house.app.visitor().visit()).cookie,
    'not_logged_in',
  ],
  [
    'who logged out of an app with an old Passport',
    (house) => house.plant(record({ passport: {} })),
    'not_logged_in',
  ],
  ['whose user key is null', (house) => house.plant(record({ passport: { user: null } })), 'not_logged_in'],
  ['whose user key is false', (house) => house.plant(record({ passport: { user: false } })), 'not_logged_in'],
  ['whose user key is empty', (house) => house.plant(record({ passport: { user: '' } })), 'not_logged_in'],
];

async function loggedOut(house) {
  const visitor = await house.login('ann');
  const { cookie } = visitor;
  await visitor.logout();
  return cookie;
}

async function ranOut(house) {
  const visitor = await house.login('ann');
  const key = `sess:${visitor.sid}`;
  await house.redis.command('PEXPIRE', key, '1');
  await eventually(async () => (await house.redis.command('EXISTS', key)) === 0, 'Redis to drop the session');
  return visitor.cookie;
}

describe('refusals, as Express would', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const [who, cookieOf, code] of UNAUTHORIZED) {
    test(`a visitor ${who} is refused: ${code}`, async () => {
      const cookie = await cookieOf(house);
      await assertRefused(demo, { cookie }, { message: 'unauthorized', code });
      assert.deepEqual(await house.app.me(cookie), { status: 401, user: null });
    });
  }

  for (const client of CLIENTS) {
    test(`client ${client}: a record that is not JSON is the server's error, not the visitor's`, async () => {
      const cookie = await house.plant('{"cookie":{},"passport":{"user":42}');
      await assertRefused(demo, { client, cookie }, { message: 'server_error', code: 'corrupt_session' });
      assert.equal((await house.app.me(cookie)).status, 500);
    });
  }

  test('a login does not make the old cookie valid again', async () => {
    const visitor = await house.app.visitor().visit();
    const before = visitor.cookie;
    await visitor.login('ann');

    await assertRefused(demo, { cookie: before }, { message: 'unauthorized', code: 'session_not_found' });
    assert.equal((await house.app.me(before)).status, 401);
    await assertGranted(demo, { cookie: visitor.cookie }, member(42));
  });

  test('a forged cookie never reaches the store', async () => {
    const { cookie, value, sid } = await house.login('ann');
    const forged = house.cookie(withBrokenSignature(value));
    const monitor = await house.redis.monitor();
    try {
      const asked = async () => (await monitor.seen()).some((command) => command.includes(sid));

      await assertRefused(demo, { cookie: forged }, { message: 'unauthorized', code: 'bad_signature' });
      assert.equal(await asked(), false, 'a forged cookie');
      await assertGranted(demo, { cookie }, member(42));
      assert.equal(await asked(), true, 'the real one');
    } finally {
      monitor.close();
    }
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
