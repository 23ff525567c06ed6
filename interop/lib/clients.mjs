import { Manager as Manager4 } from 'socket.io-client';
import clientOfTwo from 'socket.io-client-2';
import { Manager as Manager3 } from 'socket.io-client-3';
import { keepCookiesSecret } from './secrecy.mjs';
import { within } from './wait.mjs';

export const CLIENTS = ['4', '3', '2.5'];
export const TRANSPORTS = ['websocket', 'polling', 'upgrade'];
export const LANES = CLIENTS.flatMap((client) => TRANSPORTS.map((transport) => ({ client, transport })));

const MANAGERS = { 4: Manager4, 3: Manager3, 2.5: clientOfTwo.Manager };
const TRANSPORT_LISTS = { websocket: ['websocket'], polling: ['polling'], upgrade: ['polling', 'websocket'] };
// Above the four seconds in which a server with a dead store must have answered.
const ANSWER_MS = 6_000;

// The packet types of the protocol that 2.x clients speak.
const ERROR_PACKET = 4;

const open = new Set();

/** One connection, without any namespace yet. */
export function dial({ url, client = '4', transport = 'websocket', cookie, headers = {}, query, reconnection = false, ...more }) {
  if (cookie) keepCookiesSecret(cookie);
  const manager = new MANAGERS[client](url, {
    transports: TRANSPORT_LISTS[transport],
    extraHeaders: { ...headers, ...(cookie && { cookie }) },
    query,
    reconnection,
    reconnectionDelay: 100,
    reconnectionDelayMax: 500,
    ...more,
  });
  const line = { client, transport, manager };
  open.add(line);
  return line;
}

/**
 * The server's answer for this namespace:
 * `{ connected: true, socket }` or `{ connected: false, message, status }`,
 * where `status` is the HTTP status if the connection as such was refused.
 */
export async function join(line, namespace = '/') {
  const socket = line.manager.socket(namespace);
  const answer = line.client === '2.5' ? answerToOldClient(line, socket) : answerToClient(socket);
  const verdict = await within(answer, `${line.client} over ${line.transport} to join ${namespace}`, ANSWER_MS);
  if (verdict.connected && line.transport === 'upgrade') await upgraded(line);
  return verdict;
}

export function connect({ ns, ...options }) {
  return join(dial(options), ns);
}

/** The server's acknowledgement of an event. */
export function ask(socket, event, ...args) {
  const answer = new Promise((resolve) => socket.emit(event, ...args, resolve));
  return within(answer, `an answer to "${event}"`);
}

/** Closes every connection of the test. */
export function hangUp() {
  // A 2.x manager names it `close`. Either ends its attempts to come back, too.
  for (const { manager } of open) (manager._close ?? manager.close).call(manager);
  open.clear();
}

function answerToClient(socket) {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve({ connected: true, socket }));
    socket.once('connect_error', (error) => resolve(refusal(error)));
  });
}

// A 2.x client has no connect_error for a namespace that refuses. It has `error`,
// which a socket of any namespace also emits for errors of the root namespace,
// to which its server connects every client unasked: so this reads the packet itself.
function answerToOldClient({ manager }, socket) {
  return new Promise((resolve) => {
    socket.once('connect', () => resolve({ connected: true, socket }));
    socket.once('connect_error', (error) => resolve(refusal(error)));
    manager.on('packet', (packet) => {
      if (packet.type === ERROR_PACKET && packet.nsp === socket.nsp) resolve(refusal(packet.data));
    });
  });
}

function refusal(error) {
  const message = typeof error === 'string' ? error : error.message;
  const status = typeof error.description === 'number' ? error.description : undefined;
  return { connected: false, message, status };
}

async function upgraded({ manager: { engine } }) {
  if (engine.transport.name === 'websocket') return;
  await within(
    new Promise((resolve, reject) => {
      engine.once('upgrade', resolve);
      engine.once('upgradeError', reject);
    }),
    'the upgrade to websocket',
  );
}
