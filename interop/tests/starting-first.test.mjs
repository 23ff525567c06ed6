import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { hangUp } from '../lib/clients.mjs';
import { randomSid, signedValue } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { demoBinary, unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertRefused, member, turnedAway } from '../lib/verdicts.mjs';

const COULD_NOT_TELL = 2;
const NOT_THERE_YET = /the session store is not there yet/g;

// Each store before its app's first request, and what of it is missing then.
const STORES = [
  {
    name: 'connect-pg-simple, whose createTableIfMissing makes the table at the first request',
    needs: ['postgres'],
    async empty() {
      const postgres = await Postgres.start({ timeZone: 'UTC' });
      return { store: await postgres.createDatabase(), close: () => postgres.close() };
    },
    missing: /the table "session" of layout pg-simple is not there/,
  },
  {
    name: 'connect-sqlite3, which makes the file',
    needs: [],
    empty: async () => ({ store: `sqlite:${join(await scratchFolder(), 'sessions.db')}` }),
    missing: /sessions\.db is not there/,
  },
  {
    name: 'session-file-store, which makes the folder',
    needs: [],
    empty: async () => ({ store: `file:${join(await scratchFolder(), 'sessions')}` }),
    missing: /sessions is not there/,
  },
];

for (const { name, needs, empty, missing } of STORES) {
  describe(`a server that starts before the first request of its app: ${name}`, { skip: unless('demo', ...needs) }, () => {
    const secret = randomBytes(24).toString('hex');
    const stranger = `connect.sid=${signedValue(randomSid(), secret)}`;
    let store;
    let close;
    let demo;
    let house;

    before(async () => {
      ({ store, close } = await empty());
      demo = await startDemo({ store, secrets: [secret], cookieName: 'connect.sid', args: ['--max-stale', '30s'] });
    });
    afterEach(hangUp);
    after(async () => {
      await demo?.stop();
      await house?.close();
      await close?.();
    });

    test('it says once what is missing, and refuses for now', async () => {
      for (const transport of ['websocket', 'polling']) {
        await assertRefused(demo, { cookie: stranger, transport }, {
          ...turnedAway(503, { transport }),
          code: 'store_unavailable',
        });
      }
      assert.match(demo.log.since(), missing);
      assert.equal(demo.log.since().match(NOT_THERE_YET).length, 1);
    });

    test('doctor says what is missing, and that it could not tell', async () => {
      const args = ['doctor', '--store', store, '--secret', secret, '--cookie', stranger];
      const { code, stdout } = await runToItsEnd(demoBinary, args);
      assert.match(stdout, missing);
      assert.match(stdout, /its app creates/);
      assert.equal(code, COULD_NOT_TELL);
    });

    test('it knows the first user who logs in, without a restart', async () => {
      house = await House.onStore(store, { secrets: [secret] });
      const { cookie } = await house.login('ann');
      await assertGranted(demo, { cookie }, member(42));
      await assertRefused(demo, { cookie: stranger }, { message: 'unauthorized', code: 'session_not_found' });
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}

describe('a server whose Redis starts later', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;

  before(async () => {
    house = await House.onRedis();
    await house.redis.kill();
    demo = await house.open(startDemo);
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('refuses until then, and ends a logout at once from then on', async () => {
    const stranger = house.cookie(signedValue(randomSid(), house.secret));
    await assertRefused(demo, { cookie: stranger }, { ...turnedAway(503), code: 'store_unavailable' });
    await house.redis.restart();
    const ann = await house.login('ann');
    const socket = await assertGranted(demo, { cookie: ann.cookie }, member(42));
    const ended = new Promise((resolve) => socket.once('session_ended', resolve));
    await ann.logout();
    assert.equal((await ended).code, 'logged_out');
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
