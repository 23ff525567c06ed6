import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificates } from '../lib/certificates.mjs';
import { runToItsEnd } from '../lib/children.mjs';
import { Redis, startRedisCluster } from '../lib/redis.mjs';
import { sessionStoreBinary } from '../lib/requirements.mjs';
import { storeSteps } from '../lib/store-steps.mjs';
import { assertGranted, member } from '../lib/verdicts.mjs';
import { eventually } from '../lib/wait.mjs';

// connect-redis rounds a TTL up to whole seconds.
const resolutionMs = 1_000;

storeSteps({
  name: 'connect-redis',
  needs: ['redis'],
  resolutionMs,
  async start() {
    const redis = await Redis.start();
    return { storeUrl: redis.url, redis, close: () => redis.close() };
  },
  more(world) {
    // What connect-redis writes with `disableTTL`.
    test('a session without a TTL outlives the date inside it, here and in Node', async () => {
      const { cookie, sid } = await world.brief.visitor().login('ann');
      await world.backend.redis.command('PERSIST', `sess:${sid}`);
      const { cookie: inside } = JSON.parse((await world.ours.load(sid)).payload);
      await eventually(() => Date.now() > Date.parse(inside.expires), 'the date to pass', 10_000);
      assert.equal((await world.ours.load(sid)).left_ms, null);
      await assertGranted(world.demo, { cookie }, member(42));
      assert.equal((await world.house.app.me(cookie)).key, 42);
    });
  },
});

storeSteps({
  name: 'connect-redis with a prefix, in database 3',
  needs: ['redis'],
  resolutionMs,
  async start() {
    const redis = await Redis.start();
    return { storeUrl: `${redis.url}3?prefix=myapp%3A`, close: () => redis.close() };
  },
});

storeSteps({
  name: 'connect-redis in a cluster',
  needs: ['redis'],
  resolutionMs,
  async start() {
    const cluster = await startRedisCluster(3);
    return { storeUrl: cluster.url, close: () => cluster.close() };
  },
});

storeSteps({
  name: 'connect-redis over TLS',
  needs: ['redis', 'openssl'],
  resolutionMs,
  async start() {
    const certificates = await makeCertificates();
    const redis = await Redis.start({ certificates });
    const storeUrl = `${redis.url}?ca=${encodeURIComponent(certificates.ca)}`;
    return { storeUrl, bare: redis.url, certificates, close: () => redis.close() };
  },
  more(world) {
    test("only certificates of the system's roots are trusted", async () => {
      const { bare, certificates } = world.backend;
      const open = (roots) => runToItsEnd(sessionStoreBinary, [bare], { env: { SSL_CERT_FILE: roots } });
      assert.equal((await open(certificates.ca)).stdout, 'open\n');
      const { code, stderr } = await open((await makeCertificates()).ca);
      assert.notEqual(code, 0);
      assert.match(stderr, /UnknownIssuer|BadSignature/);
    });
  },
});
