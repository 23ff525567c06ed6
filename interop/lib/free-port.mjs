import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { eventually } from './wait.mjs';

/** A port that nobody has just now. */
export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Waits for servers that do not say that they listen. */
export function listens(port) {
  return eventually(async () => {
    const socket = connect(port, '127.0.0.1');
    try {
      return await once(socket, 'connect').then(() => true, () => false);
    } finally {
      socket.destroy();
    }
  }, `port ${port} to be open`);
}
