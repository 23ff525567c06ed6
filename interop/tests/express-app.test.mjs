import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { randomSid, signedValue } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';

const USERS = [
  ['ann', 42],
  ['bob', 7],
  ['zero', 0],
  ['olga', { provider: 'ldap', dn: 'cn=olga' }],
];

// The other files rely on this app for what Express and Passport do.
for (const { store, skip, open } of [
  { store: 'connect-redis', skip: unless('redis'), open: () => House.onRedis() },
  { store: 'connect-sqlite3', skip: false, open: () => House.onSqlite() },
]) {
  describe(`the Express app on ${store}`, { skip }, () => {
    let house;

    before(async () => {
      house = await open();
    });
    after(() => house?.close());

    for (const [name, key] of USERS) {
      test(`knows ${name} after the login by the key ${JSON.stringify(key)}`, async () => {
        const { cookie } = await house.login(name);
        const me = await house.app.me(cookie);
        assert.equal(me.user.name, name);
        assert.deepEqual(me.key, key);
      });
    }

    test('refuses a wrong password', async () => {
      await assert.rejects(house.login('jose', 'Pa124'), /login of jose/);
    });

    test('creates a new session at login, and the old one becomes invalid', async () => {
      const visitor = await house.app.visitor().visit();
      const { cookie, sid } = visitor;
      await visitor.login('ann');
      assert.notEqual(visitor.sid, sid);
      assert.equal((await house.app.me(cookie)).status, 401);
    });

    test('ends the session at logout', async () => {
      const visitor = await house.login('ann');
      const { cookie } = visitor;
      await visitor.logout();
      assert.deepEqual(await house.app.me(cookie), { status: 401, user: null });
    });

    test('accepts a cookie that the suite has signed', async () => {
      const { sid } = await house.login('ann');
      assert.equal((await house.app.me(house.cookie(signedValue(sid, house.secret)))).key, 42);
      assert.equal((await house.app.me(house.cookie(signedValue(randomSid(), house.secret)))).status, 401);
    });
  });
}
