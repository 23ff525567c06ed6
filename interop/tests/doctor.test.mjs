import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { signedValue, withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { Redis } from '../lib/redis.mjs';
import { demoBinary, unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { executeSql } from '../lib/sqlite.mjs';

const GRANTED = 0;
const DENIED = 1;
const COULD_NOT_TELL = 2;

/** The doctor's JSON, and its exit status; nothing that was put in may come out again. */
async function examine({ store, secrets = [], cookie, args = [], secret, sid }) {
  const options = [
    ...(store ? ['--store', store] : []),
    ...secrets.flatMap((one) => ['--secret', one]),
    ...(cookie ? ['--header', `Cookie: ${cookie}`] : []),
  ];
  const run = (more) => runToItsEnd(demoBinary, ['doctor', ...options, ...args, ...more]);
  const { code: status, stdout, stderr } = await run(['--json']);
  assert.equal(stderr, '');
  const text = await run([]);
  assert.equal(text.code, status);
  for (const canary of [secret, sid, cookie && cookie.split('=')[1]].filter(Boolean)) {
    for (const output of [stdout, text.stdout, text.stderr]) assert.ok(!output.includes(canary), output);
  }
  return { status, text: text.stdout, ...JSON.parse(stdout) };
}

function assertVerdict(report, { status, code, step, cause }) {
  assert.deepEqual({ status: report.status, code: report.code }, { status, code });
  const last = report.steps.at(-1);
  assert.deepEqual({ step: last.number, passed: last.passed }, { step, passed: status === GRANTED });
  assert.deepEqual(
    report.steps.map(({ number }) => number),
    Array.from({ length: step }, (_, index) => index + 1),
  );
  if (cause) {
    assert.match(report.hints[0].cause, cause);
    assert.ok(report.text.includes(report.hints[0].cause), report.text);
    assert.ok(report.text.includes(report.hints[0].fix), report.text);
  }
}

describe('doctor, on Redis', { skip: unless('demo', 'redis') }, () => {
  let house;
  let ann;

  before(async () => {
    house = await House.onRedis();
    ann = await house.login('ann');
  });
  after(() => house?.close());

  const ask = (options = {}) => {
    const { store, secret } = house;
    return examine({ store, secrets: [secret], cookie: ann.cookie, secret, sid: ann.sid, ...options });
  };

  test('a good cookie: granted, with the user key', async () => {
    const report = await ask();
    assertVerdict(report, { status: GRANTED, code: 'granted', step: 11 });
    assert.equal(report.user_key, 42);
    assert.match(report.text, /granted: the user key is 42/);
  });

  test('the value alone, encoded or not, from the command line or from stdin', async () => {
    const { store, secret } = house;
    for (const value of [ann.value, decodeURIComponent(ann.value), ann.cookie]) {
      const report = await examine({ store, secrets: [secret], args: ['--cookie', value], secret, sid: ann.sid });
      assertVerdict(report, { status: GRANTED, code: 'granted', step: 11 });
    }
    const options = ['doctor', '--store', store, '--secret', secret, '--cookie', '-'];
    const piped = await runToItsEnd(demoBinary, options, { input: `${ann.value}\n` });
    assert.equal(piped.code, GRANTED, piped.stderr);
  });

  test('a pasted line: Cookie, or Set-Cookie with its attributes', async () => {
    const { store, secret } = house;
    const lines = [
      `Cookie: theme=dark; ${ann.cookie}`,
      `Set-Cookie: ${ann.cookie}; Path=/; HttpOnly; SameSite=Lax`,
    ];
    for (const line of lines) {
      for (const option of ['--cookie', '--header']) {
        const report = await examine({ store, secrets: [secret], args: [option, line], secret, sid: ann.sid });
        assertVerdict(report, { status: GRANTED, code: 'granted', step: 11 });
      }
    }
  });

  test('a whole request from stdin or a file, as the proxy passes it on', async () => {
    const { store, secret } = house;
    const lines = [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1', 'Host: app.example.com', 'X-Forwarded-Proto: HTTPS',
      'X-Forwarded-Port: 8443', 'Origin: wss://app.example.com:8443', `Cookie: ${ann.cookie}`, '', '',
    ];
    const input = lines.join('\r\n');
    const run = (...args) => runToItsEnd(
      demoBinary, ['doctor', '--store', store, '--secret', secret, '--json', ...args], { input },
    );
    const refused = await run('--request', '-');
    assert.equal(refused.code, DENIED);
    const [{ cause, fix }] = JSON.parse(refused.stdout).hints;
    assert.match(cause, /a proxy says what the page asked for .* is not trusted/);
    const advised = fix.match(/--trust-proxy (\S+) here/)[1];
    assert.equal((await run('--request', '-', '--trust-proxy', advised)).code, GRANTED);
    const file = join(await scratchFolder(), 'request.txt');
    await writeFile(file, input);
    const trusted = ['--request', file, '--trust-proxy', advised];
    assert.equal((await run(...trusted)).code, GRANTED);
    assert.equal((await run(...trusted, '--peer', '192.0.2.1')).code, DENIED);
    for (const { stdout } of [refused, await run(...trusted)]) assert.ok(!stdout.includes(ann.value));
  });

  test('a request for another path: it names the path and the status 404', async () => {
    const { store, secret } = house;
    const input = `GET /api/socket.io/?EIO=4 HTTP/1.1\nCookie: ${ann.cookie}\n`;
    const ask = async (...args) => {
      const options = ['doctor', '--store', store, '--secret', secret, '--request', '-', '--json', ...args];
      return JSON.parse((await runToItsEnd(demoBinary, options, { input })).stdout).hints;
    };
    const [{ cause, fix }] = await ask();
    assert.match(cause, /is for \/api\/socket\.io\/, and Socket\.IO is served at \/socket\.io\//);
    assert.deepEqual(await ask('--path', fix.match(/--path (\S+) here/)[1]), []);
  });

  test('tampered, or signed with another secret: the signature', async () => {
    const tampered = house.cookie(withBrokenSignature(ann.value));
    assertVerdict(await ask({ cookie: tampered }), {
      status: DENIED, code: 'bad_signature', step: 4, cause: /another secret, or this value was changed/,
    });
    assertVerdict(await ask({ secrets: ['not the one'] }), {
      status: DENIED, code: 'bad_signature', step: 4, cause: /another secret/,
    });
  });

  test('two cookies of this name: it says that only the first counts', async () => {
    const stale = house.cookie(withBrokenSignature(ann.value));
    assertVerdict(await ask({ cookie: `${stale}; ${house.cookie(ann.value)}` }), {
      status: DENIED, code: 'bad_signature', step: 4, cause: /2 cookies with this name, and the first counts/,
    });
  });

  test("signed with a tutorial's secret: that secret is named", async () => {
    const cookie = house.cookie(signedValue(ann.sid, 'keyboard cat'));
    assertVerdict(await ask({ cookie }), {
      status: DENIED, code: 'bad_signature', step: 4, cause: /"keyboard cat"/,
    });
  });

  test('a secret with added quotes or white space: it names them', async () => {
    for (const secret of [`"${house.secret}"`, `${house.secret}\n`, ` ${house.secret}`]) {
      assertVerdict(await ask({ secrets: [secret] }), {
        status: DENIED, code: 'bad_signature', step: 4, cause: /without the quotes or white space/,
      });
    }
  });

  test('not in the store', async () => {
    const sid = 'a session id that was never issued';
    const cookie = house.cookie(signedValue(sid, house.secret));
    assertVerdict(await ask({ cookie, sid }), {
      status: DENIED, code: 'session_not_found', step: 6, cause: /logged out, or in again/,
    });
  });

  test('under another prefix, or in another database: it says where', async () => {
    const sid = 'in-the-store-but-elsewhere';
    const cookie = house.cookie(signedValue(sid, house.secret));
    await house.redis.command('SET', `myapp:${sid}`, record({ passport: { user: 42 } }));
    const report = await ask({ cookie, sid });
    assertVerdict(report, {
      status: DENIED, code: 'session_not_found', step: 6, cause: /under the prefix "myapp:"/,
    });
    const [, store] = report.hints[0].fix.match(/--store '([^']+)'/);
    assertVerdict(await ask({ store, cookie, sid }), { status: GRANTED, code: 'granted', step: 11 });

    await house.redis.command('DEL', `myapp:${sid}`);
    await house.redis.command('SET', `sess:${sid}`, record({ passport: { user: 42 } }));
    await house.redis.command('MOVE', `sess:${sid}`, '3');
    assertVerdict(await ask({ cookie, sid }), {
      status: DENIED, code: 'session_not_found', step: 6, cause: /in database 3, under the prefix "sess:"/,
    });
  });

  test('logged out: the session has no user, with old and new Passport', async () => {
    const old = await house.plant(record({ passport: {} }));
    assertVerdict(await ask({ cookie: old }), {
      status: DENIED, code: 'not_logged_in', step: 9, cause: /session\.passport is \{\}: the user has logged out/,
    });
    const bob = await house.login('bob');
    const { cookie, sid } = bob;
    await bob.logout();
    assertVerdict(await ask({ cookie, sid }), {
      status: DENIED, code: 'session_not_found', step: 6, cause: /logged out/,
    });
  });

  test('the user is elsewhere in the session: it says where', async () => {
    const elsewhere = await house.plant(record({ auth: { user: 'ann' } }));
    const report = await ask({ cookie: elsewhere });
    assertVerdict(report, { status: DENIED, code: 'not_logged_in', step: 9, cause: /something at \/auth\/user/ });
    const fastify = await house.plant(record({ passport: 42 }));
    assertVerdict(await ask({ cookie: fastify }), {
      status: DENIED, code: 'not_logged_in', step: 9, cause: /@fastify\/passport/,
    });
  });

  test('a broken record: could not tell', async () => {
    const broken = await house.plant('{"cookie":{');
    assertVerdict(await ask({ cookie: broken }), {
      status: COULD_NOT_TELL, code: 'corrupt_session', step: 7, cause: /something else than express-session/,
    });
  });

  test('no cookie, or under another name: it names that', async () => {
    assertVerdict(await ask({ args: ['--cookie-name', 'other.sid'] }), {
      status: DENIED, code: 'no_session_cookie', step: 2, cause: /connect\.sid is signed with your secret/,
    });
    assertVerdict(await ask({ cookie: 'theme=dark' }), {
      status: DENIED, code: 'no_session_cookie', step: 2, cause: /another host name/,
    });
  });

  test("another kind of session's cookie: it names the kind", async () => {
    for (const [cookie, kind] of [
      ['session=eyJwYXNzcG9ydCI6eyJ1c2VyIjoidTEifX0=; session.sig=4VqMWF_AJ3NteWgiGaep13B5Q4E', /cookie-session/],
      ['koa.sess=eyJ9; koa.sess.sig=x', /koa-session/],
      ['sessionId=akH_lIVypdA-pMAB0UA4_7a0qflvOr2N.LQMPwSNUts46Y0M7', /@fastify\/session/],
    ]) {
      assertVerdict(await ask({ cookie }), { status: DENIED, code: 'no_session_cookie', step: 2, cause: kind });
    }
  });

  test('a malformed cookie: it says how', async () => {
    for (const [value, cause] of [
      [ann.sid, /bare session id/],
      [ann.value.replaceAll('%', '%25'), /encoded twice/],
      [`s%3A${ann.sid}`, /signature is missing/],
    ]) {
      assertVerdict(await ask({ cookie: house.cookie(value) }), {
        status: DENIED, code: 'malformed_cookie', step: 3, cause,
      });
    }
  });

  test('a foreign origin: it names the difference', async () => {
    for (const [origin, host, cause] of [
      ['https://evil.example', 'app.example.com', /pages of other origins are refused/],
      ['http://localhost:3000', '127.0.0.1:3000', /localhost and 127\.0\.0\.1 are one machine and two origins/],
      ['https://app.example.com', 'app.example.com', /TLS ends at a proxy/],
      ['null', 'app.example.com', /the origin is `null`/],
    ]) {
      assertVerdict(await ask({ args: ['--origin', origin, '--host', host] }), {
        status: DENIED, code: 'origin_not_allowed', step: 1, cause,
      });
    }
    const allowed = ['--origin', 'https://a.example', '--host', 'b.example', '--allow-origin', 'https://a.example'];
    assertVerdict(await ask({ args: allowed }), { status: GRANTED, code: 'granted', step: 11 });
  });

  test('a Secure cookie over http is pointed out', async () => {
    const secure = await house.plant(JSON.stringify({ cookie: { secure: true }, passport: { user: 42 } }));
    const report = await ask({ cookie: secure, args: ['--origin', 'http://a.example', '--host', 'a.example'] });
    assertVerdict(report, { status: GRANTED, code: 'granted', step: 11, cause: /`Secure`, and the page comes over http/ });
  });

  test('no store, or a stopped one: could not tell', async () => {
    assertVerdict(await ask({ store: undefined }), {
      status: COULD_NOT_TELL, code: 'store_unavailable', step: 5, cause: /needs the store/,
    });
    const gone = await House.onRedis();
    const { store } = gone;
    await gone.close();
    assertVerdict(await ask({ store }), {
      status: COULD_NOT_TELL, code: 'store_unavailable', step: 5, cause: /can't be reached/,
    });
  });

  test('the store is not asked when the cookie alone gives the answer', async () => {
    const nowhere = 'redis://127.0.0.1:1/';
    const tampered = house.cookie(withBrokenSignature(ann.value));
    const report = await ask({ store: nowhere, cookie: tampered });
    assertVerdict(report, { status: DENIED, code: 'bad_signature', step: 4 });
  });
});

describe('doctor, on a Redis with a Unix socket', { skip: unless('demo', 'redis') }, () => {
  test('looks for the session in the same server, by the same URL', async () => {
    const socket = join(await scratchFolder(), 'redis.sock');
    const redis = await Redis.start({ args: () => ['--unixsocket', socket] });
    const [secret, sid] = ['keyboard cat', 'in-the-store-but-elsewhere'];
    await redis.command('SET', `myapp:${sid}`, record({ passport: { user: 42 } }));
    const cookie = `connect.sid=${signedValue(sid, secret)}`;
    for (const scheme of ['redis+unix', 'unix']) {
      const store = `${scheme}://${socket}?db=0`;
      const report = await examine({ store, secrets: [secret], cookie, secret, sid });
      assertVerdict(report, {
        status: DENIED, code: 'session_not_found', step: 6, cause: /under the prefix "myapp:"/,
      });
      const [, advised] = /--store '([^']+)'/.exec(report.hints[0].fix);
      const followed = await examine({ store: advised, secrets: [secret], cookie, secret, sid });
      assertVerdict(followed, { status: GRANTED, code: 'granted', step: 11 });
    }
    // A parameter of Node's client has no effect here, nor there.
    const store = `${redis.url}?family=0`;
    assertVerdict(await examine({ store, secrets: [secret], cookie, secret, sid }), {
      status: DENIED, code: 'session_not_found', step: 6, cause: /under the prefix "myapp:"/,
    });
    await redis.close();
  });
});

describe('doctor, on SQLite', { skip: unless('demo') }, () => {
  let house;

  before(async () => {
    house = await House.onSqlite();
  });
  after(() => house?.close());

  const ask = ({ cookie, sid }) => {
    const { store, secret } = house;
    return examine({ store, secrets: [secret], cookie, secret, sid });
  };

  test('expired: by the rule of the store', async () => {
    const { cookie, sid } = await house.login('ann');
    await executeSql(house.databasePath, 'UPDATE sessions SET expired = 1 WHERE sid = ?', [sid]);
    assertVerdict(await ask({ cookie, sid }), {
      status: DENIED, code: 'session_expired', step: 8, cause: /the session's time is over/,
    });
  });

  test('in another table: it names the table', async () => {
    const { cookie, sid } = await house.login('ann');
    await executeSql(house.databasePath, 'CREATE TABLE logins AS SELECT * FROM sessions WHERE sid = ?', [sid]);
    await executeSql(house.databasePath, 'DELETE FROM sessions WHERE sid = ?', [sid]);
    const report = await ask({ cookie, sid });
    assertVerdict(report, { status: DENIED, code: 'session_not_found', step: 6, cause: /in the table "logins"/ });
    const [, store] = report.hints[0].fix.match(/--store '([^']+)'/);
    const { secret } = house;
    assertVerdict(await examine({ store, secrets: [secret], cookie, secret, sid }), {
      status: GRANTED, code: 'granted', step: 11,
    });
  });
});

describe('a command line without anything to check', { skip: unless('demo') }, () => {
  for (const [what, args, says] of [
    ['no cookie at all', ['--secret', 's'], /nothing to examine: give --cookie/],
    ['no secret', ['--cookie', 'x'], /no secret/],
    ['a header without a name', ['--secret', 's', '--header', 'x'], /needs a name and a value/],
    ['a request that is none', ['--secret', 's', '--request', '/dev/null'], /--request: there is no header in it/],
    ['an option that is none', ['--sekret', 's'], /--secret/],
  ]) {
    test(`${what}: it says what to type, with status 2`, async () => {
      const { code, stderr } = await runToItsEnd(demoBinary, ['doctor', ...args], { env: { SESSION_SECRET: undefined } });
      assert.match(stderr, says);
      assert.equal(code, COULD_NOT_TELL);
    });
  }

  test('--help has examples', async () => {
    for (const command of [[], ['demo'], ['doctor']]) {
      const { code, stdout } = await runToItsEnd(demoBinary, [...command, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, /Examples:\n[^]*passport-socketio (demo|doctor) --/);
    }
  });
});
