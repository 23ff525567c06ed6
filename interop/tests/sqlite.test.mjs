import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { openDatabase } from '../lib/sqlite.mjs';
import { assertGranted, assertRefused, member, turnedAway } from '../lib/verdicts.mjs';

const ANSWER_MS = 4_000;

describe('on connect-sqlite3', { skip: unless('demo') }, () => {
  let house;
  let demo;
  let database;

  before(async () => {
    house = await House.onSqlite();
    demo = await house.open(startDemo);
    database = await openDatabase(house.databasePath);
  });
  afterEach(hangUp);
  after(async () => {
    await database?.close();
    await house?.close();
  });

  for (const { client, transport } of [
    { client: '4', transport: 'websocket' },
    { client: '4', transport: 'upgrade' },
    { client: '3', transport: 'upgrade' },
    { client: '2.5', transport: 'polling' },
  ]) {
    test(`client ${client} over ${transport}: a user logged in at Express is known`, async () => {
      const { cookie } = await house.login('ann');
      await assertGranted(demo, { client, transport, cookie }, member(42));
    });
  }

  for (const [name, key] of [
    ['zero', 0],
    ['olga', { provider: 'ldap', dn: 'cn=olga' }],
  ]) {
    test(`the user key ${JSON.stringify(key)} is a user`, async () => {
      const { cookie } = await house.login(name);
      await assertGranted(demo, { cookie }, member(key));
      assert.deepEqual((await house.app.me(cookie)).key, key);
    });
  }

  test('a user who has logged out is refused', async () => {
    const visitor = await house.login('ann');
    const { cookie } = visitor;
    await visitor.logout();
    await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'session_not_found' });
    assert.equal((await house.app.me(cookie)).status, 401);
  });

  test('a visitor with a session but no login is refused', async () => {
    const { cookie } = await house.app.visitor().visit();
    await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'not_logged_in' });
    assert.equal((await house.app.me(cookie)).status, 401);
  });

  // The row is still there: the store deletes expired rows once a day only.
  test('a row past its `expired` is refused, by Express too', async () => {
    const { cookie, sid } = await house.login('ann');
    await database.run('UPDATE sessions SET expired = ? WHERE sid = ?', [Date.now() - 1_000, sid]);
    await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'session_expired' });
    assert.equal((await house.app.me(cookie)).status, 401);
  });

  // Touch moves the column only; the record's own date stays behind.
  test('a row before its `expired` is valid although the date in it is past', async () => {
    const { cookie, sid } = await house.login('ann');
    await database.run(
      "UPDATE sessions SET sess = json_set(sess, '$.cookie.expires', '2001-01-01T00:00:00.000Z') WHERE sid = ?",
      [sid],
    );
    await assertGranted(demo, { cookie }, member(42));
    assert.equal((await house.app.me(cookie)).key, 42);
  });

  // Express is not asked: connect-sqlite3 parses where nothing catches, and the app would end.
  test("a row that is not JSON is the server's error", async () => {
    const { cookie, sid } = await house.login('ann');
    await database.run('UPDATE sessions SET sess = ? WHERE sid = ?', ['not JSON', sid]);
    await assertRefused(demo, { cookie }, { message: 'server_error', code: 'corrupt_session' });
  });

  test('while the database is locked, clients read try_again in time', async () => {
    const { cookie } = await house.login('ann');
    await database.run('BEGIN EXCLUSIVE');
    try {
      const start = performance.now();
      const refusal = { ...turnedAway(503), code: ['store_unavailable', 'store_timeout'] };
      await assertRefused(demo, { cookie }, refusal);
      assert.ok(performance.now() - start < ANSWER_MS);
    } finally {
      await database.run('ROLLBACK');
    }
    await assertGranted(demo, { cookie }, member(42));
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
