import assert from 'node:assert/strict';
import { ask, dial, join } from './clients.mjs';
import { ledger } from './ledger.mjs';
import { GUEST, member } from './verdicts.mjs';

/** Between `session_ended` and the end of a connection that its server closes. */
export const LAST_WORDS_MS = 500;
export const LOGGED_OUT = { code: 'logged_out', reconnect: false };
export const EXPIRED = { code: 'expired', reconnect: false };
export const USER_CHANGED = { code: 'user_changed', reconnect: true };

/** One connection of a member to both of the demo's namespaces. */
export async function openTab(server, { cookie, key = 42, client, transport }) {
  const line = dial({ url: server.url, cookie, client, transport });
  const places = ['/', '/lobby'].map((namespace) => socketOf(line, namespace, member(key)));
  return tab(await Promise.all(places), member(key));
}

/** A guest in the lobby. */
export async function openGuestTab(server) {
  return tab([await socketOf(dial({ url: server.url }), '/lobby', GUEST)], GUEST);
}

async function socketOf(line, namespace, whoami) {
  const { socket, message } = await join(line, namespace);
  assert.ok(socket, `${namespace} refuses: ${message}`);
  const told = ledger(socket);
  assert.deepEqual(await ask(socket, 'whoami'), whoami);
  return { socket, told };
}

function tab(places, whoami) {
  return {
    /** The one on `/`, if there are two. */
    socket: places[0].socket,
    told: places[0].told,

    /** All its sockets end, for this reason. Returns when the last one did. */
    async ended(notice, ms) {
      return Math.max(...(await Promise.all(places.map(({ told }) => told.ended(notice, ms)))));
    },

    /** It is unchanged: connected, with the same user. */
    async assertOpen() {
      for (const { socket, told } of places) {
        told.assertOpen();
        assert.deepEqual(await ask(socket, 'whoami'), whoami);
      }
    },
  };
}
