import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { hangUp } from '../lib/clients.mjs';
import { send } from '../lib/http.mjs';
import { unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { assertNothingLeaked, keepSecret } from '../lib/secrecy.mjs';
import { startApp, startOwnDemo } from '../lib/servers.mjs';
import { assertGranted, assertRefused } from '../lib/verdicts.mjs';

const ANN = { user: { id: 42, name: 'Ann', gender: 'female' }, guest: false, logged_in: true };
const ZOE = { user: { id: 0, name: 'Zoë', gender: 'female' }, guest: false, logged_in: true };

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

function logIn(demo, user, headers = {}) {
  return send(`${demo.url}/login`, { method: 'POST', headers: { ...FORM, ...headers }, body: `user=${user}` });
}

/** The Cookie header of a browser that has just logged in. */
async function cookieOf(demo, user) {
  const answer = await logIn(demo, user);
  assert.equal(answer.status, 303);
  return answer.headers['set-cookie'][0].split(';')[0];
}

describe('a demo with users and sessions of its own', { skip: unless('demo') }, () => {
  let cwd;
  let demo;

  before(async () => {
    cwd = await scratchFolder();
    demo = await startOwnDemo({ cwd });
    keepSecret((await readFile(joinPath(cwd, 'demo.secret'), 'utf8')).trim());
  });
  afterEach(hangUp);
  after(() => demo?.stop());

  test('a user who logs in with the form is known, with their row', async () => {
    await assertGranted(demo, { cookie: await cookieOf(demo, 42) }, ANN);
    await assertGranted(demo, { cookie: await cookieOf(demo, 0) }, ZOE);
  });

  test('a user who logs out is not', async () => {
    const cookie = await cookieOf(demo, 42);
    assert.equal((await send(`${demo.url}/logout`, { method: 'POST', headers: { cookie } })).status, 303);
    await assertRefused(demo, { cookie }, { message: 'unauthorized', code: 'session_not_found' });
  });

  test('a login as another user ends the old cookie', async () => {
    const ann = await cookieOf(demo, 42);
    assert.equal((await logIn(demo, 7, { cookie: ann })).status, 303);
    await assertRefused(demo, { cookie: ann }, { message: 'unauthorized', code: 'session_not_found' });
  });

  test('a user that is not in the table can not log in', async () => {
    for (const user of ['999', 'ann', '', '42&x=y']) assert.equal((await logIn(demo, user)).status, 400);
  });

  test("another site's form can not log in a user", async () => {
    assert.equal((await logIn(demo, 42, { 'sec-fetch-site': 'cross-site' })).status, 403);
  });

  test('a real Express app on the same database reads the session that the demo wrote', async () => {
    const secret = (await readFile(joinPath(cwd, 'demo.secret'), 'utf8')).trim();
    const store = `sqlite:${joinPath(cwd, 'demo.db')}`;
    const app = await startApp({ store, secrets: [secret], cookieName: 'connect.sid' });
    try {
      const { status, key } = await app.me(await cookieOf(demo, 42));
      assert.deepEqual({ status, key }, { status: 200, key: 42 });
    } finally {
      await app.stop();
    }
  });

  test('the cookie is as express-session sets it', async () => {
    const [line] = (await logIn(demo, 42)).headers['set-cookie'];
    assert.match(line, /^connect\.sid=s%3A[^;.]+\.[^;]+; Path=\/; Expires=[^;]+ GMT; HttpOnly; SameSite=Lax$/);
  });

  test('the secret and the sessions are readable for their owner only', async () => {
    for (const file of ['demo.secret', 'demo.db']) {
      assert.equal((await stat(joinPath(cwd, file))).mode & 0o777, 0o600, file);
    }
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

test('logins outlive a restart of the demo', { skip: unless('demo') }, async () => {
  const cwd = await scratchFolder();
  const first = await startOwnDemo({ cwd });
  const cookie = await cookieOf(first, 42);
  await first.stop();
  const second = await startOwnDemo({ cwd });
  try {
    await assertGranted(second, { cookie }, ANN);
  } finally {
    hangUp();
    await second.stop();
  }
});

test('--store memory: leaves nothing on the disk', { skip: unless('demo') }, async () => {
  const cwd = await scratchFolder();
  const demo = await startOwnDemo({ cwd, args: ['--store', 'memory:'] });
  try {
    await assertGranted(demo, { cookie: await cookieOf(demo, 42) }, ANN);
    await assert.rejects(stat(joinPath(cwd, 'demo.db')), { code: 'ENOENT' });
  } finally {
    hangUp();
    await demo.stop();
  }
});
