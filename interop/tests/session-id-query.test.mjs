import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { CLIENTS, hangUp } from '../lib/clients.mjs';
import { withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { engineUrl, joinByHand, send } from '../lib/http.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { assertGranted, assertLogged, assertRefused, member } from '../lib/verdicts.mjs';

const skip = unless('demo', 'redis');

// The original took the bare session id from the query, unsigned and before the cookie.
describe('?session_id= in the query', { skip }, () => {
  let house;
  let demo;
  let ann;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
    ann = await house.login('ann');
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const [what, valueOf] of [
    ['a signed value', ({ value }) => value],
    ['a bare session id', ({ sid }) => sid],
  ]) {
    test(`is ignored by default: ${what}`, async () => {
      const query = { session_id: valueOf(ann) };
      await assertRefused(demo, { query }, { message: 'unauthorized', code: 'no_session_cookie' });
    });
  }

  test('does not affect the cookie by default', async () => {
    const bob = await house.login('bob');
    await assertGranted(demo, { cookie: bob.cookie, query: { session_id: ann.value } }, member(7));
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

describe('with --insecure-session-id-query', { skip }, () => {
  let house;
  let demo;
  let ann;
  let bob;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo, { args: ['--insecure-session-id-query'] });
    [ann, bob] = [await house.login('ann'), await house.login('bob')];
  });
  afterEach(hangUp);
  after(() => house?.close());

  test('the server warns at its start', () => demo.log.match(/WARN.*session.id/i));

  for (const client of CLIENTS) {
    test(`client ${client}: the cookie's value, as a page reads it, works`, async () => {
      await assertGranted(demo, { client, query: { session_id: ann.value } }, member(42));
    });
  }

  test('the signed value works decoded as well', async () => {
    await assertGranted(demo, { query: { session_id: decodeURIComponent(ann.value) } }, member(42));
  });

  for (const [what, valueOf, code] of [
    ['a bare session id', ({ sid }) => sid, 'malformed_cookie'],
    ['a forged value', ({ value }) => withBrokenSignature(value), 'bad_signature'],
  ]) {
    test(`${what} does not work`, async () => {
      await assertRefused(demo, { query: { session_id: valueOf(ann) } }, { message: 'unauthorized', code });
    });
  }

  test('two values do not work, not even the same one twice', async () => {
    for (const second of [ann.value, bob.value]) {
      const mark = demo.log.mark();
      const answer = await joinByHand(demo, `&session_id=${ann.value}&session_id=${second}`);
      assert.equal(answer, '44{"message":"unauthorized"}');
      await assertLogged(demo, mark, 'malformed_cookie');
    }
  });

  test('one value works in the same handwritten request', async () => {
    assert.match(await joinByHand(demo, `&session_id=${ann.value}`), /^40\{"sid":/);
  });

  test('the cookie comes first', async () => {
    await assertGranted(demo, { cookie: bob.cookie, query: { session_id: ann.value } }, member(7));
  });

  test('the origin is still checked', async () => {
    const url = engineUrl(demo, 'polling', `&session_id=${ann.value}`);
    assert.equal((await send(url, { headers: { origin: 'https://evil.example' } })).status, 403);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
