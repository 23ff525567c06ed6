import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { broadcasts } from '../lib/broadcasts.mjs';
import { CLIENTS, ask, dial, hangUp, join } from '../lib/clients.mjs';
import { withBrokenSignature } from '../lib/cookies.mjs';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { GUEST, assertGranted, assertGuest, assertRefused, member } from '../lib/verdicts.mjs';

const LOBBY = '/lobby';

describe('namespaces: members only on /, guests too on /lobby', { skip: unless('demo', 'redis') }, () => {
  let house;
  let demo;

  before(async () => {
    house = await House.onRedis();
    demo = await house.open(startDemo);
  });
  afterEach(hangUp);
  after(() => house?.close());

  for (const client of CLIENTS) {
    test(`client ${client}: a visitor without a cookie is a guest in the lobby`, async () => {
      await assertGuest(demo, { client, ns: LOBBY }, 'no_session_cookie');
    });

    test(`client ${client}: a member is known in the lobby`, async () => {
      const { cookie } = await house.login('ann');
      await assertGranted(demo, { client, ns: LOBBY, cookie }, member(42));
    });

    test(`client ${client}: one connection is a guest in the lobby and refused on /`, async () => {
      const line = dial({ url: demo.url, client });
      const [root, lobby] = await Promise.all([join(line, '/'), join(line, LOBBY)]);
      assert.deepEqual(root, { connected: false, message: 'unauthorized', status: undefined });
      assert.deepEqual(await ask(lobby.socket, 'whoami'), GUEST);
    });

    test(`client ${client}: one connection is a member in both, and may leave one of them`, async () => {
      const { cookie } = await house.login('ann');
      const line = dial({ url: demo.url, client, cookie });
      const [root, lobby] = await Promise.all([join(line, '/'), join(line, LOBBY)]);
      assert.deepEqual(await ask(root.socket, 'whoami'), member(42));

      root.socket.disconnect();
      assert.deepEqual(await ask(lobby.socket, 'whoami'), member(42));
    });
  }

  for (const [who, valueOf, code] of [
    ['who sends a bare session id', ({ sid }) => sid, 'malformed_cookie'],
    ['with a forged cookie', ({ value }) => withBrokenSignature(value), 'bad_signature'],
  ]) {
    test(`a visitor ${who} is a guest in the lobby`, async () => {
      const cookie = house.cookie(valueOf(await house.login('ann')));
      await assertGuest(demo, { ns: LOBBY, cookie }, code);
    });
  }

  test('a visitor with a session but no login is a guest in the lobby', async () => {
    const { cookie } = await house.app.visitor().visit();
    await assertGuest(demo, { ns: LOBBY, cookie }, 'not_logged_in');
  });

  test('a user who has logged out is a guest in the lobby', async () => {
    const visitor = await house.login('ann');
    const { cookie } = visitor;
    await visitor.logout();
    await assertGuest(demo, { ns: LOBBY, cookie }, 'session_not_found');
  });

  test('a record that is not JSON is an error, and makes no guest', async () => {
    const cookie = await house.plant('not JSON');
    const refusal = { message: 'server_error', code: 'corrupt_session' };
    await assertRefused(demo, { ns: LOBBY, cookie }, refusal);
  });

  test('the lobby receives who is online: users with their tabs, and guests', async () => {
    // A server of its own, where no client of another test is still disconnecting.
    const quiet = await house.open(startDemo);
    const [ann, bob] = [await house.login('ann'), await house.login('bob')];
    const enter = (cookie) => assertConnected(dial({ url: quiet.url, cookie }));

    const online = broadcasts(await enter(bob.cookie), 'online');
    const firstTab = await enter(ann.cookie);
    await enter(ann.cookie);
    await online.until(({ users }) => tabsOf(users, 42) === 2 && tabsOf(users, 7) === 1, 'ann with two tabs');

    const guest = await enter();
    await online.until(({ guests }) => guests === 1, 'a guest');

    guest.disconnect();
    firstTab.disconnect();
    await online.until(({ users, guests }) => guests === 0 && tabsOf(users, 42) === 1, 'both to leave');
  });

  test('others see a hash of a user key that may hold private data', async () => {
    const quiet = await house.open(startDemo);
    const online = broadcasts(await assertConnected(dial({ url: quiet.url })), 'online');
    const { cookie } = await house.login('olga');
    const olga = await assertConnected(dial({ url: quiet.url, cookie }));
    const { users } = await online.until(({ users }) => users.length === 1, 'olga');
    assert.match(users[0].user.id, /^#[0-9a-f]{8}$/);
    assert.deepEqual((await ask(olga, 'whoami')).user.id, { provider: 'ldap', dn: 'cn=olga' });
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

async function assertConnected(line) {
  const { connected, socket, message } = await join(line, LOBBY);
  assert.ok(connected, message);
  return socket;
}

const tabsOf = (users, id) => users.find(({ user }) => user.id === id)?.tabs;
