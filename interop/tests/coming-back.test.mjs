import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { LANES, ask, dial, hangUp, join } from '../lib/clients.mjs';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startTransports } from '../lib/servers.mjs';
import { happens, within } from '../lib/wait.mjs';

const skip = unless('transports', 'redis');

/** What docs/handshake.md tells clients to do, word by word. */
function doAsTheGuideSays(socket) {
  let invitedBack = false;
  socket.on('session_ended', ({ reconnect }) => {
    invitedBack = reconnect;
  });
  socket.on('disconnect', (reason) => {
    if (invitedBack && reason === 'io server disconnect') socket.connect();
  });
}

for (const layer of ['over', 'plain', 'none']) {
  describe(`who is invited back (layer: ${layer})`, { skip }, () => {
    let house;
    let server;

    before(async () => {
      house = await House.onRedis();
      server = await house.open(startTransports, { layer });
    });
    afterEach(hangUp);
    after(() => house?.close());

    for (const lane of LANES) {
      test(`client ${lane.client} over ${lane.transport}: it comes back each time, and never twice`, async () => {
        const { cookie, sid } = await house.login('ann');
        const line = dial({ url: server.url, cookie, ...lane, reconnection: true });
        const { socket } = await join(line, '/');
        doAsTheGuideSays(socket);
        let connects = 0;
        socket.on('connect', () => {
          connects += 1;
        });
        const invitations = [7, 42, 7];
        for (const [n, user] of invitations.entries()) {
          const back = happens(socket, 'disconnect').then(() => happens(socket, 'connect'));
          await house.redis.command('SET', `sess:${sid}`, record({ passport: { user } }));
          await within(back, 'it to come back');
          assert.equal((await ask(socket, 'whoami')).user, user);
          assert.equal(connects, n + 1);
        }
      });
    }

    test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
  });
}
