import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { eventually } from './wait.mjs';

// Below the range from which systems assign ports by themselves, so that
// no process takes the port between a kill and the restart on it.
const PORTS = [15_000, 32_000];
const ATTEMPTS = 20;

/** A port that is free just now. */
export async function freePort() {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(...PORTS);
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(() => true, () => false);
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
  throw new Error('found no free port');
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
