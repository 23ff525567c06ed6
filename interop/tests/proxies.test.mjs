import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, afterEach, before, describe, test } from 'node:test';
import { makeCertificates } from '../lib/certificates.mjs';
import { connect, hangUp, TRANSPORTS } from '../lib/clients.mjs';
import { freePort } from '../lib/free-port.mjs';
import { House } from '../lib/house.mjs';
import { startProxy, startViteProxy } from '../lib/proxies.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertLogged, member, turnedAway } from '../lib/verdicts.mjs';

const PATH = '/api/socket.io';
const EVIL = 'https://evil.example';
// What a client can write, and a proxy has to drop or to overwrite.
const MADE_UP = {
  'x-forwarded-for': '127.0.0.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-port': '443',
  forwarded: 'for=127.0.0.1;proto=https;host=evil.example',
};

async function assertForbidden(demo, request) {
  const mark = demo.log.mark();
  const verdict = await connect(request);
  assert.deepEqual(verdict, { connected: false, status: undefined, ...turnedAway(403, request) });
  await assertLogged(demo, mark, 'origin_not_allowed');
}

for (const name of ['nginx', 'haproxy', 'caddy']) {
  describe(`behind ${name}, as the guide configures it`, { skip: unless('demo', 'redis', 'openssl', 'proxies') }, () => {
    let house;
    let demo;
    let proxy;
    let common;

    before(async () => {
      house = await House.onRedis();
      demo = await house.open(startDemo, { args: ['--path', PATH, '--trust-proxy', '127.0.0.1'] });
      const certificates = await makeCertificates();
      proxy = await house.open(startProxy, { name, target: new URL(demo.url).host, certificates });
      const { cookie } = await house.login('ann');
      common = { url: proxy.url, path: PATH, cookie, ca: await readFile(certificates.ca) };
    });
    afterEach(hangUp);
    after(() => house?.close());

    for (const transport of TRANSPORTS) {
      test(`${transport}: a page of the server's own origin knows who logged in`, async () => {
        const request = { ...common, transport, headers: { origin: proxy.url } };
        await assertGranted(demo, request, member(42));
        const swift = { ...request, headers: { origin: proxy.url.replace('https:', 'wss:') } };
        await assertGranted(demo, swift, member(42));
      });

      test(`${transport}: a page of another origin, scheme or port is refused`, async () => {
        const cleartext = proxy.url.replace('https:', 'http:');
        for (const origin of [EVIL, cleartext, 'https://localhost', new URL(demo.url).origin]) {
          for (const madeUp of [{}, MADE_UP]) {
            await assertForbidden(demo, { ...common, transport, headers: { origin, ...madeUp } });
          }
        }
      });

      test(`${transport}: forged headers do not change the server's own origin`, async () => {
        await assertGranted(demo, { ...common, transport, headers: { origin: proxy.url, ...MADE_UP } }, member(42));
      });
    }

    test('a server that does not trust the proxy refuses its pages', async () => {
      const other = await house.open(startDemo, { args: ['--path', PATH, '--trust-proxy', '192.0.2.0/24'] });
      const certificates = await makeCertificates();
      const another = await house.open(startProxy, { name, target: new URL(other.url).host, certificates });
      const { url, ca } = { url: another.url, ca: await readFile(certificates.ca) };
      const request = { ...common, url, ca, transport: 'polling', headers: { origin: url } };
      await assertForbidden(other, request);
    });

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}

describe("behind Vite's proxy", { skip: unless('demo', 'redis') }, () => {
  let house;
  let cookie;

  before(async () => {
    house = await House.onRedis();
    ({ cookie } = await house.login('ann'));
  });
  afterEach(hangUp);
  after(() => house?.close());

  async function open({ args = () => [], more } = {}) {
    const port = await freePort();
    const demo = await house.open(startDemo, { args: ['--path', PATH, ...args(`http://localhost:${port}`)] });
    const vite = await house.open(startViteProxy, { port, target: new URL(demo.url).host, more });
    return { demo, request: { url: vite.url, path: PATH, cookie, headers: { origin: vite.url } } };
  }

  for (const transport of TRANSPORTS) {
    test(`${transport}: as the guide configures it, its pages know who logged in`, async () => {
      const { demo, request } = await open();
      await assertGranted(demo, { ...request, transport }, member(42));
      await assertForbidden(demo, { ...request, transport, headers: { origin: EVIL } });
    });

    test(`${transport}: with changeOrigin its pages are foreign until listed`, async () => {
      const more = { changeOrigin: true };
      const unnamed = await open({ more });
      await assertForbidden(unnamed.demo, { ...unnamed.request, transport });
      const { demo, request } = await open({ more, args: (origin) => ['--origin', origin] });
      await assertGranted(demo, { ...request, transport }, member(42));
    });
  }

  test('with xfwd only polling forwards the host that the page requested', async () => {
    const more = { changeOrigin: true, xfwd: true };
    const { demo, request } = await open({ more, args: () => ['--trust-proxy', '127.0.0.1'] });
    await assertGranted(demo, { ...request, transport: 'polling' }, member(42));
    await assertForbidden(demo, { ...request, transport: 'websocket' });
    const untrusted = await open({ more });
    await assertForbidden(untrusted.demo, { ...untrusted.request, transport: 'polling' });
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
