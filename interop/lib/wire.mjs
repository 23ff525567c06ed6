import { once } from 'node:events';
import { WebSocket } from 'ws';
import { keepCookiesSecret } from './secrecy.mjs';
import { within } from './wait.mjs';

/**
 * A connection to the root namespace by hand, which goes on sending when every client would stop.
 * `packets` is all that came, heartbeats aside.
 */
export async function openWire(server, { cookie }) {
  keepCookiesSecret(cookie);
  const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`, {
    headers: { cookie },
  });
  const packets = [];
  let onPacket = () => {};
  socket.on('message', (data) => {
    const packet = `${data}`;
    if (packet === '2') return socket.send('3');
    packets.push(packet);
    onPacket();
  });
  // It may be cut while something is sent.
  socket.on('error', () => {});

  const wire = {
    packets,
    send: (packet) => socket.readyState === WebSocket.OPEN && socket.send(packet),
    close: () => socket.terminate(),

    /** Returns when a packet that begins like this has come. */
    until(beginning) {
      const come = new Promise((resolve) => {
        onPacket = () => packets.some((packet) => packet.startsWith(beginning)) && resolve();
        onPacket();
      });
      return within(come, () => `${beginning} on the wire; there was ${JSON.stringify(packets)}`, 10_000);
    },
  };
  await within(once(socket, 'open'), 'a WebSocket');
  await wire.until('0');
  wire.send('40');
  await wire.until('40');
  return wire;
}
