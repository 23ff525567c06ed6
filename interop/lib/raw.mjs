import { once } from 'node:events';
import { WebSocket } from 'ws';
import { keepCookiesSecret } from './secrecy.mjs';
import { within } from './wait.mjs';

/** A WebSocket that sends only what a test sends: not even a pong, unless `pongs`. */
export async function openRaw(server, { cookie, pongs = true, eio = 4 } = {}) {
  const headers = {};
  if (cookie) {
    keepCookiesSecret(cookie);
    headers.cookie = cookie;
  }
  const url = `${server.url.replace(/^http/, 'ws')}/socket.io/?EIO=${eio}&transport=websocket`;
  const socket = new WebSocket(url, { headers });
  const packets = [];
  const news = new Set();
  socket.on('message', (data) => {
    packets.push(`${data}`);
    if (pongs && `${data}` === '2') socket.send('3');
    for (const read of news) read();
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close').then(() => performance.now());
  await within(once(socket, 'open'), 'a WebSocket');

  const raw = {
    packets,
    send: (packet) => socket.send(packet),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    hangUp: () => socket.terminate(),

    /** When the server had closed it. */
    closed: (ms) => within(closed, () => `the end of the connection; there was ${packets.length} packets`, ms),

    /** Waits until `count` packets that begin like this have come; returns when that was. */
    until(beginning, count = 1) {
      let read;
      const come = new Promise((resolve) => {
        read = () => {
          if (packets.filter((packet) => packet.startsWith(beginning)).length >= count) resolve(performance.now());
        };
        news.add(read);
        read();
      });
      const what = () => `${count} × ${beginning}; there was ${JSON.stringify(packets).slice(0, 500)}`;
      return within(come, what, 10_000).finally(() => news.delete(read));
    },
  };
  await raw.until('0{');
  return raw;
}
