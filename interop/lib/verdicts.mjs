import assert from 'node:assert/strict';
import { ask, connect } from './clients.mjs';

export const GUEST = { user: null, guest: true, logged_in: false };

/** How the demo names a user of another app: by the key that the session holds. */
export const member = (key) => ({ user: { id: key }, guest: false, logged_in: true });

/** The client is let in, `whoami` returns its user, and the log has the same user. */
export async function assertGranted(server, request, whoami) {
  return assertConnected(server, request, whoami, 'granted');
}

/** The client is let in as a guest, and the log says why it has no login. */
export async function assertGuest(server, request, code) {
  return assertConnected(server, request, GUEST, code);
}

/** What a client makes of an HTTP status before there is a socket: over polling it reads which one. */
export function turnedAway(status, { transport = 'websocket' } = {}) {
  if (transport === 'websocket') return { message: 'websocket error' };
  return { message: 'xhr poll error', status };
}

/**
 * The client reads `message` and nothing more (or an HTTP `status`, if the connection as such was refused);
 * the operator reads `code`, or one of several.
 */
export async function assertRefused(server, request, { message, status, code }) {
  const mark = server.log.mark();
  const verdict = await connect({ url: server.url, ...request });
  assert.deepEqual(verdict, { connected: false, message, status });
  await assertLogged(server, mark, code);
  assert.doesNotMatch(server.log.since(mark), /code="granted"/);
}

export async function assertLogged(server, mark, code) {
  await server.log.match(new RegExp(`code="(?:${[code].flat().join('|')})"`), { mark });
}

async function assertConnected(server, request, whoami, code) {
  const mark = server.log.mark();
  const { connected, socket, message } = await connect({ url: server.url, ...request });
  assert.ok(connected, `refused with ${message}; the server's log:\n${server.log.since(mark)}`);
  assert.deepEqual(await ask(socket, 'whoami'), whoami);
  await assertLogged(server, mark, code);
  return socket;
}
