import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { io } from 'socket.io-client';
import { launch } from '../lib/children.mjs';
import { connect } from '../lib/clients.mjs';
import { within } from '../lib/wait.mjs';

const require = createRequire(import.meta.url);
const legacyEmitter = require('socket.io-emitter');
const msgpackParser = require('socket.io-msgpack-parser');

const binary = process.env.CLUSTER_SERVER_BIN
  ?? fileURLToPath(new URL('../../target/debug/examples/cluster_server', import.meta.url));

/** A Rust server: the example `cluster_server` with these arguments. */
export async function rustServer(args, env = {}) {
  const server = await launch('cluster_server', binary, args, { ready: /listening on (http:\S+)/, env });
  return { ...server, url: server.match[1] };
}

/** Both emitters on one Redis, and a function that closes them. */
export async function emitters(url, socket = {}, options = {}) {
  const client = createClient({ url, socket });
  client.on('error', () => {});
  await client.connect();
  // Emitters do not await their commands; killing the Redis would be an unhandled rejection.
  const publish = (channel, message) => void client.publish(channel, message).catch(() => {});
  // The legacy one knows a client by this method's old name.
  const old = { hset() {}, publish };
  return { client, emitter: new Emitter(old, options), legacy: legacyEmitter(old, options), close: () => client.destroy() };
}

/** A client of one namespace that keeps what it hears. `kind`: 4, 3, 2.5, 4-polling, 4-msgpack. */
export async function listener(url, kind = '4', namespace = '/') {
  const socket = kind === '4-msgpack'
    ? await connectWithMsgpack(url, namespace)
    : await connectPlain(url, kind, namespace);
  const heard = [];
  const waiting = new Map();
  const onevent = socket.onevent.bind(socket);
  // The only hook that clients of all versions have.
  socket.onevent = (packet) => {
    const [event, ...args] = packet.data;
    heard.push([event, ...args]);
    waiting.get(event)?.();
    onevent(packet);
  };
  return {
    kind,
    socket,
    heard,
    /** What was heard until `event` comes, which is not part of it. */
    async until(event, ms = 10_000) {
      const at = () => heard.findIndex(([name]) => name === event);
      const came = at() >= 0 || new Promise((resolve) => waiting.set(event, resolve));
      await within(came, () => `${kind} to hear ${event} after ${JSON.stringify(heard).slice(0, 500)}`, ms);
      waiting.delete(event);
      const before = heard.splice(0, at());
      heard.shift();
      return before;
    },
  };
}

async function connectPlain(url, kind, namespace) {
  const [client, transport = 'websocket'] = kind.split('-');
  const { connected, socket } = await connect({ url, client, transport, ns: namespace });
  if (!connected) throw new Error(`${kind} was refused`);
  return socket;
}

async function connectWithMsgpack(url, namespace) {
  const socket = io(`${url}${namespace}`, {
    parser: msgpackParser, transports: ['websocket'], forceNew: true, reconnection: false,
  });
  await within(new Promise((resolve) => socket.once('connect', resolve)), 'the msgpack client to connect');
  return socket;
}
