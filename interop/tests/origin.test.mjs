import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { runToItsEnd } from '../lib/children.mjs';
import { CLIENTS, connect, hangUp } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { engineUrl, send, shakeHands } from '../lib/http.mjs';
import { demoBinary, unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo, startTransports } from '../lib/servers.mjs';
import { assertGranted, assertLogged, assertRefused, member } from '../lib/verdicts.mjs';

const skip = unless('demo', 'redis');

const EVIL = 'https://evil.example';
const FRIEND = 'https://app.example';

// The same host is not yet the same origin: scheme and port count as well.
const FOREIGN_ORIGINS = [
  ['of another site', () => EVIL],
  ['of a sandboxed page', () => 'null'],
  ['of another port', () => 'http://127.0.0.1:1'],
  ['of another scheme', (url) => url.replace('http:', 'https:')],
  ['of another name for this host', (url) => url.replace('127.0.0.1', 'localhost')],
  ['that begins like ours', (url) => `${url}.evil.example`],
];

function assertForbidden({ status, body }) {
  assert.equal(status, 403);
  assert.deepEqual(JSON.parse(body), { code: 'forbidden' });
}

describe('a page of a foreign origin', { skip }, () => {
  let house;
  let demo;
  let cookie;
  let sid;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
    ({ cookie, sid } = await house.login('ann'));
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const [whose, originAt] of FOREIGN_ORIGINS) {
    test(`an origin ${whose} may not poll or open a WebSocket, login or not`, async () => {
      const mark = demo.log.mark();
      const headers = { cookie, origin: originAt(demo.url) };
      assertForbidden(await send(engineUrl(demo, 'polling'), { headers }));
      assertForbidden(await shakeHands(engineUrl(demo, 'websocket'), { headers }));
      await assertLogged(demo, mark, 'origin_not_allowed');
      assert.doesNotMatch(demo.log.since(mark), /code="granted"/);
    });
  }

  test('two Origin headers are forbidden, even if one is ours', async () => {
    const headers = { cookie, origin: [demo.url, EVIL] };
    assertForbidden(await send(engineUrl(demo, 'polling'), { headers }));
  });

  test('without Origin, a request that is marked cross-site is forbidden', async () => {
    const headers = { cookie, 'sec-fetch-site': 'cross-site' };
    assertForbidden(await send(engineUrl(demo, 'polling'), { headers }));
  });

  for (const client of CLIENTS) {
    test(`client ${client}: it sees a refused connection, not a refused namespace`, async () => {
      const request = { url: demo.url, client, cookie, headers: { origin: EVIL } };
      assert.deepEqual(await connect({ ...request, transport: 'polling' }), {
        connected: false,
        message: 'xhr poll error',
        status: 403,
      });
      const overWebSocket = await connect({ ...request, transport: 'websocket' });
      assert.equal(overWebSocket.message, 'websocket error');
    });
  }

  test('it never reaches the store', async () => {
    const monitor = await house.redis.monitor();
    try {
      await send(engineUrl(demo, 'polling'), { headers: { cookie, origin: EVIL } });
      assert.equal((await monitor.seen()).some((command) => command.includes(sid)), false);
    } finally {
      monitor.close();
    }
  });

  for (const client of CLIENTS) {
    test(`client ${client}: a page of our own origin is let in`, async () => {
      await assertGranted(demo, { client, cookie, headers: { origin: demo.url } }, member(42));
    });
  }

  test('without Origin, a request that is not cross-site is let in', async () => {
    for (const headers of [{}, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) {
      assert.equal((await send(engineUrl(demo, 'polling'), { headers })).status, 200);
    }
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('a page of a foreign origin, without our layer', { skip: unless('transports', 'redis') }, () => {
  let house;
  let server;

  before(async () => {
    house = await House.onRedis();
    server = await house.open(startTransports, { layer: 'none' });
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const client of CLIENTS) {
    test(`client ${client}: the middleware alone forbids it`, async () => {
      const { cookie } = await house.login('ann');
      const request = { client, cookie, headers: { origin: EVIL } };
      await assertRefused(server, request, { message: 'forbidden', code: 'origin_not_allowed' });
    });
  }

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('an origin allowed with --origin', { skip }, () => {
  let house;
  let demo;
  let cookie;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo, { args: ['--origin', FRIEND] });
    ({ cookie } = await house.login('ann'));
  });
  afterEach(hangUp);
  after(() => house?.close());

  function assertReadable({ headers }) {
    assert.equal(headers['access-control-allow-origin'], FRIEND);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.match(headers.vary ?? '', /\borigin\b/i);
  }

  for (const client of CLIENTS) {
    test(`client ${client}: its pages know who logged in`, async () => {
      await assertGranted(demo, { client, cookie, headers: { origin: FRIEND } }, member(42));
    });
  }

  test('its pages may read the answers, with credentials', async () => {
    const answer = await send(engineUrl(demo, 'polling'), { headers: { cookie, origin: FRIEND } });
    assert.equal(answer.status, 200);
    assertReadable(answer);
  });

  test('its preflights are answered although they carry no cookie', async () => {
    const answer = await send(engineUrl(demo, 'polling'), { method: 'OPTIONS', headers: preflight(FRIEND) });
    assert.ok(answer.status === 200 || answer.status === 204, `status ${answer.status}`);
    assertReadable(answer);
    assert.match(answer.headers['access-control-allow-methods'], /\bPOST\b/);
    assert.match(answer.headers['access-control-allow-headers'], /\bcontent-type\b/i);
  });

  test('other origins stay forbidden, their preflights too', async () => {
    assertForbidden(await send(engineUrl(demo, 'polling'), { headers: { cookie, origin: EVIL } }));
    const answer = await send(engineUrl(demo, 'polling'), { method: 'OPTIONS', headers: preflight(EVIL) });
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('origins as other clients send them', { skip }, () => {
  let house;
  let cookie;

  before(async () => {
    house = await House.onRedis();
    ({ cookie } = await house.login('ann'));
  });
  afterEach(hangUp);
  after(() => house?.close());

  const ask = (demo, origin) => send(engineUrl(demo, 'polling'), { headers: { cookie, origin } });

  test("Swift's client sends ws:// with the server's own name, and is let in", async () => {
    const demo = await house.open(startDemo);
    const own = demo.url.replace('http:', 'ws:');
    await assertGranted(demo, { cookie, headers: { origin: own } }, member(42));
    assertForbidden(await ask(demo, own.replace('ws:', 'wss:')));
  });

  test('listed pages of apps and of subdomains are let in, and no others', async () => {
    const listed = ['capacitor://localhost', 'https://*.app.example'];
    const demo = await house.open(startDemo, { args: listed.flatMap((origin) => ['--origin', origin]) });
    for (const origin of ['capacitor://localhost', 'https://a.b.app.example']) {
      await assertGranted(demo, { cookie, headers: { origin } }, member(42));
      const answer = await ask(demo, origin);
      assert.equal(answer.headers['access-control-allow-origin'], origin);
    }
    for (const origin of ['ionic://localhost', 'https://app.example', 'https://evilapp.example', 'null', 'file://']) {
      assertForbidden(await ask(demo, origin));
    }
  });

  test('only --insecure-null-origin lets in pages without an origin, and warns', async () => {
    const demo = await house.open(startDemo, { args: ['--insecure-null-origin'] });
    await demo.log.match(/pages without an origin are allowed \(insecure_null_origin\)/);
    for (const origin of ['null', 'file://']) {
      await assertGranted(demo, { cookie, headers: { origin } }, member(42));
    }
    assertForbidden(await ask(demo, EVIL));
  });

  for (const [origin, says] of [
    ['null', /\.insecure_null_origin\(\)/],
    ['*', /https:\/\/\*\.example\.com/],
    ['https://*.vercel.app', /strangers/],
    ['htps://app.example', /is no origin/],
  ]) {
    test(`--origin ${origin} is refused at the start, with what to do`, async () => {
      const args = ['demo', '--store', house.store, '--secret', house.secret, '--origin', origin];
      const { code, stderr } = await runToItsEnd(demoBinary, [...args, '--listen', '127.0.0.1:0']);
      assert.equal(code, 1);
      assert.match(stderr, says);
    });
  }

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('behind a proxy that ends TLS', { skip }, () => {
  // What such a proxy passes on for a page of https://chat.example.
  const proxied = { host: 'chat.example', origin: 'https://chat.example', 'x-forwarded-proto': 'https' };
  let house;

  before(async () => {
    house = await House.onRedis();
  });
  after(() => house?.close());

  test('the scheme that a trusted proxy reports counts', async () => {
    const demo = await house.open(startDemo, { args: ['--trust-proxy', '127.0.0.0/8'] });
    assert.equal((await send(engineUrl(demo, 'polling'), { headers: proxied })).status, 200);
    const plain = { ...proxied, 'x-forwarded-proto': 'http' };
    assertForbidden(await send(engineUrl(demo, 'polling'), { headers: plain }));
  });

  test('the scheme that any other peer reports does not', async () => {
    for (const args of [[], ['--trust-proxy', '192.0.2.0/24']]) {
      const demo = await house.open(startDemo, { args });
      assertForbidden(await send(engineUrl(demo, 'polling'), { headers: proxied }));
    }
  });
});

function preflight(origin) {
  return {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  };
}
