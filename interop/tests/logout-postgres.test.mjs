import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { connect, hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startAppOnPassport, startDemo } from '../lib/servers.mjs';
import { eventually, within } from '../lib/wait.mjs';

// The sweep comes after half of it, at the earliest.
const MAX_STALE = ['--max-stale', '30s'];
const AT_ONCE_MS = 2_000;

const document = await readFile(new URL('../../docs/postgres-notify.md', import.meta.url), 'utf8');
const [INSTALL, UNINSTALL] = [...document.matchAll(/^```sql\n(.*?)^```$/gms)].map(([, sql]) => sql);

/** The document's SQL, changed for another layout than connect-pg-simple's as the document says. */
async function sqlFor(layout, sql) {
  if (layout === 'pg-simple') return sql;
  const [, script] = new RegExp(`^\\| \`${layout}\` \\| \`sed '(.*)' notify.sql\` \\|$`, 'm').exec(document);
  const { code, stdout, stderr } = await runToItsEnd('sed', [script], { input: sql });
  assert.equal(code, 0, stderr);
  return stdout;
}

describe('a logout in Node, announced by PostgreSQL', { skip: unless('demo', 'postgres') }, () => {
  let postgres;

  before(async () => {
    postgres = await Postgres.start({ timeZone: 'America/New_York' });
  });
  after(() => postgres?.close());

  for (const layout of ['pg-simple', 'knex', 'sequelize']) {
    describe(layout, () => {
      let database;
      let house;
      let demo;

      before(async () => {
        database = await postgres.createDatabase();
        house = await House.onStore(`${database}?layout=${layout}`);
      });
      afterEach(hangUp);
      after(() => house?.close());

      async function enter({ cookie }) {
        const { connected, socket } = await connect({ url: demo.url, cookie });
        assert.ok(connected);
        const ended = new Promise((resolve) => socket.once('session_ended', resolve));
        const closed = new Promise((resolve) => socket.once('disconnect', resolve));
        return { socket, ended: Promise.all([ended, closed]).then(([end]) => end) };
      }

      async function assertEndsAtOnce({ ended }) {
        const { code } = await within(ended, 'the logout to end the socket', AT_ONCE_MS);
        assert.equal(code, 'logged_out');
      }

      /** The last query on the connection that listens checks the triggers. */
      const listens = () =>
        eventually(async () => {
          const sql = `SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'express-session' AND query LIKE '%pg_trigger%' AND state = 'idle'`;
          return (await postgres.execute(database, sql)).length > 0;
        }, 'the demo to listen');

      test('without the triggers, the log says where to find them', async () => {
        demo = await house.open(startDemo, { args: MAX_STALE });
        // It listens from the first visitor on.
        await enter(await house.login('ann'));
        await demo.log.match(/by the sweep alone.*docs\/postgres-notify\.md/);
      });

      test('ends the sockets of that session at once, and no others', async () => {
        await postgres.execute(database, await sqlFor(layout, INSTALL));
        demo = await house.open(startDemo, { args: MAX_STALE });
        const [ann, bob] = [await house.login('ann'), await house.login('bob')];
        const [anns, bobs] = [await enter(ann), await enter(bob)];
        await listens();
        await ann.visit();
        await ann.logout();
        await assertEndsAtOnce(anns);
        assert.ok(bobs.socket.connected);
      });

      for (const passport of ['passport-0.5', 'passport']) {
        test(`ends them also with ${passport}, whose logouts differ`, async () => {
          const app = await house.open(startAppOnPassport, { passport });
          const visitor = app.visitor();
          const headers = { 'content-type': 'application/json' };
          const post = (path, body) =>
            visitor.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
          await post('/login', { key: 42 });
          const entered = await enter(visitor);
          await post('/logout', {});
          await assertEndsAtOnce(entered);
        });
      }

      test('can be uninstalled', async () => {
        await postgres.execute(database, await sqlFor(layout, UNINSTALL));
        const sql = `SELECT FROM pg_trigger WHERE tgname LIKE 'express_session_%'
          UNION ALL SELECT FROM pg_proc WHERE proname LIKE 'express_session_%'`;
        assert.equal((await postgres.execute(database, sql)).length, 0);
      });
    });
  }

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
