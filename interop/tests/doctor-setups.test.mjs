import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { signedValue, withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { demoBinary, unless } from '../lib/requirements.mjs';
import { executeSql } from '../lib/sqlite.mjs';

const GRANTED = 0;

// Of these another one takes the place of the one before; all others can be repeated.
const ONCE = ['--store', '--cookie-name', '--kind', '--user-pointer', '--path', '--host', '--origin', '--cookie'];

/** The options that a fix says to type. */
function advised(fix) {
  const options = fix.matchAll(/(--[a-z-]+)(?: ('[^']*'|[^\s,;)]+))?/g);
  return [...options].map(([, option, value]) =>
    option === '--insecure-null-origin' ? [option] : [option, value.replaceAll("'", '')]);
}

const without = (options, name) => options.filter(([option]) => option !== name);
const withoutHeader = (options, name) => options.filter(([, value]) => !value?.toLowerCase().startsWith(`${name}:`));
const followed = (options, more) =>
  more.reduce((all, one) => [...(ONCE.includes(one[0]) ? without(all, one[0]) : all), one], options);

describe('broken set-ups: the cause comes first, and its fix ends in granted', { skip: unless('demo', 'redis') }, () => {
  let house;
  let sqlite;
  let ann;

  before(async () => {
    [house, sqlite] = await Promise.all([House.onRedis(), House.onSqlite()]);
    ann = await house.login('ann');
  });
  after(() => Promise.all([house?.close(), sqlite?.close()]));

  const header = (text) => ['--header', text];
  const trusted = ['--trust-proxy', '10.0.0.0/8'];
  const page = (origin, host, ...more) => () => [['--origin', origin], ['--host', host], ...more];
  const APP = 'https://app.example.com';
  const cookieOf = (value) => header(`Cookie: ${house.cookie(value)}`);
  const instead = (value) => async (options) => [...withoutHeader(options, 'cookie'), cookieOf(await value())];

  // What is broken, how, what doctor says first; and what is done, where that is no option of doctor's.
  const SETUPS = [
    ['TLS ends at a proxy that says nothing', page(APP, 'app.example.com'), /TLS ends at a proxy/],
    ['a proxy that is not trusted', page(APP, 'app.example.com', header('X-Forwarded-Proto: https')), /is not trusted/],
    ['a proxy that has moved to another address',
      page(APP, 'app.example.com', header('X-Forwarded-Proto: https'), trusted, ['--peer', '172.18.0.5']),
      /not trusted: its address is 172\.18\.0\.5/],
    ['a proxy behind the one that ends TLS',
      page(APP, 'app.example.com', header('X-Forwarded-Proto: http'), trusted), /the last proxy says http/],
    ["nginx' Host $host", page('http://app.example.com:8080', 'app.example.com'), /Host has lost its port/],
    ["nginx' Host $host with TLS",
      page(`${APP}:8443`, 'app.example.com', header('X-Forwarded-Proto: https'), trusted), /Host has lost its port/],
    ['the port of a container',
      page(APP, 'app.example.com', header('X-Forwarded-Proto: https'), header('X-Forwarded-Port: 8443'), trusted),
      /X-Forwarded-Port says 8443/, (options) => withoutHeader(options, 'x-forwarded-port')],
    ["nginx without a line for Host", page(APP, 'backend:3000'), /a proxy replaces Host/],
    ["Vite's changeOrigin", page('http://localhost:5173', '127.0.0.1:3000'), /`changeOrigin: true`/],
    ["a client's own Forwarded",
      page(APP, 'app.example.com', header('X-Forwarded-Proto: https'), header('Forwarded: proto=http'), trusted),
      /contradict each other/, (options) => withoutHeader(options, 'forwarded')],
    ['a page of another origin', page(APP, 'rt.example.com'), /pages of other origins are refused/],
    ["an app's own pages", page('capacitor://localhost', 'rt.example.com'), /pages of other origins are refused/],
    ['a page from a file', page('null', 'rt.example.com'), /the origin is `null`/],
    ['www', page('https://www.example.com', 'rt.example.com', ['--allow-origin', 'https://example.com']), /its name differs/],
    ['cleartext beside TLS', page('http://rt.example.com', 'rt.example.com', ['--allow-origin', APP]), /beside an allowed https/],
    ['two names of one machine', page('http://localhost:3000', '127.0.0.1:3000'), /one machine and two origins/],
    ['no withCredentials',
      () => [['--origin', APP], ['--host', 'rt.example.com'], ['--allow-origin', APP], header('Cookie: theme=dark')],
      /browsers keep cookies to themselves/, instead(() => ann.value)],
    ['another cookie name', () => [['--cookie-name', 'sid']], /connect\.sid is signed with your secret/],
    ["a tutorial's secret", () => [cookieOf(signedValue(ann.sid, 'keyboard cat'))], /"keyboard cat"/],
    ['a secret with its quotes', () => [['--secret', `"${house.secret}"`]], /without the quotes or white space/,
      (options) => [...without(options, '--secret'), ['--secret', house.secret]]],
    ['a stale cookie in front', () => [header(`Cookie: ${house.cookie(withBrokenSignature(ann.value))}; ${ann.cookie}`)],
      /2 cookies with this name/, instead(() => ann.value)],
    ['a value that was encoded twice', () => [cookieOf(ann.value.replaceAll('%', '%25'))], /encoded twice/, instead(() => ann.value)],
    ['a bare session id', () => [cookieOf(ann.sid)], /bare session id/, instead(() => ann.value)],
    ['no store', () => [['--store', undefined]], /what comes next needs the store/,
      (options) => [...options, ['--store', house.store]]],
    ['another prefix', async () => {
      await house.redis.command('SET', 'shop:in-the-shop', record({ passport: { user: 42 } }));
      return [cookieOf(signedValue('in-the-shop', house.secret))];
    }, /under the prefix "shop:"/],
    ['another table', async () => {
      const { cookie, sid } = await sqlite.login('ann');
      await executeSql(sqlite.databasePath, 'CREATE TABLE logins AS SELECT * FROM sessions WHERE sid = ?', [sid]);
      await executeSql(sqlite.databasePath, 'DELETE FROM sessions WHERE sid = ?', [sid]);
      return [['--store', sqlite.store], ['--secret', sqlite.secret], header(`Cookie: ${cookie}`)];
    }, /in the table "logins"/],
    ['a login that has expired', async () => {
      const { cookie, sid } = await sqlite.login('ann');
      await executeSql(sqlite.databasePath, 'UPDATE sessions SET expired = 1 WHERE sid = ?', [sid]);
      return [['--store', sqlite.store], ['--secret', sqlite.secret], header(`Cookie: ${cookie}`)];
    }, /the session's time is over/, async (options) =>
      [...withoutHeader(options, 'cookie'), header(`Cookie: ${(await sqlite.login('ann')).cookie}`)]],
    ['the user is elsewhere', async () => [header(`Cookie: ${await house.plant(record({ auth: { user: 42 } }))}`)],
      /something at \/auth\/user/],
    ["@fastify/passport's key", async () => [header(`Cookie: ${await house.plant(record({ passport: 42 }))}`)],
      /@fastify\/passport/],
    ['a login that has ended', async () => [header(`Cookie: ${await house.plant(record({ passport: {} }))}`)],
      /the user has logged out/, instead(async () => (await house.login('ann')).value)],
  ];

  async function diagnose(options) {
    // What deserves a warning at the start of a server is warned of here as well.
    const env = { RUST_LOG: 'error' };
    const { code: status, stdout, stderr } = await runToItsEnd(demoBinary, ['doctor', '--json', ...options.flat()], { env });
    assert.equal(stderr, '');
    for (const canary of [house.secret, sqlite.secret, ann.sid]) assert.ok(!stdout.includes(canary), stdout);
    return { status, ...JSON.parse(stdout) };
  }

  for (const [what, broken, cause, follow] of SETUPS) {
    test(what, async () => {
      const given = await broken();
      const whole = [['--store', house.store], ['--secret', house.secret], header(`Cookie: ${ann.cookie}`)];
      const replaces = (options, name) => options.some(([option]) => option === name);
      const hasCookie = given.some(([, value]) => value?.startsWith('Cookie:'));
      const usual = whole.filter(([option, value]) =>
        value.startsWith('Cookie:') ? !hasCookie : !replaces(given, option));
      const options = [...usual, ...given].filter((option) => option.length === 1 || option[1] !== undefined);
      const refused = await diagnose(options);
      assert.notEqual(refused.status, GRANTED);
      assert.match(refused.hints[0].cause, cause);
      const better = follow ? await follow(options) : followed(options, advised(refused.hints[0].fix));
      const report = await diagnose(better);
      assert.equal(report.code, 'granted', JSON.stringify(report.steps.at(-1)));
      assert.equal(report.status, GRANTED);
    });
  }
});
