import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { WebSocket } from 'ws';
import { keepCookiesSecret } from './secrecy.mjs';
import { within } from './wait.mjs';

// `fetch` adds headers of its own (Sec-Fetch-Mode) and decides over Origin;
// here a request carries exactly what the test says.
export async function send(url, { method = 'GET', headers = {}, body } = {}) {
  keepCookiesSecret(headers.cookie ?? '');
  const outgoing = request(url, { method, headers, agent: false });
  outgoing.end(body);
  const [incoming] = await within(once(outgoing, 'response'), `an answer to ${method} ${url}`);
  return { status: incoming.statusCode, headers: incoming.headers, body: await text(incoming) };
}

/** The status of a WebSocket handshake: 101, or the refusal with its body. */
export async function shakeHands(url, { headers = {} } = {}) {
  keepCookiesSecret(headers.cookie ?? '');
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  try {
    return await within(
      new Promise((resolve, reject) => {
        socket.once('open', () => resolve({ status: 101 }));
        socket.once('unexpected-response', async (_request, incoming) => {
          resolve({ status: incoming.statusCode, headers: incoming.headers, body: await text(incoming) });
        });
        socket.once('error', reject);
      }),
      `a WebSocket handshake with ${url}`,
    );
  } finally {
    socket.terminate();
  }
}

/** Where Engine.IO lives; `transport` is `polling` or `websocket`. */
export const engineUrl = (server, transport, query = '') =>
  `${server.url}/socket.io/?EIO=4&transport=${transport}${query}`;

/**
 * Joins the root namespace by hand, over polling, for queries which no client can be made to send.
 * Answers with the first Socket.IO packet.
 */
export async function joinByHand(server, query) {
  const opened = await send(engineUrl(server, 'polling', query));
  const { sid } = JSON.parse(opened.body.slice(1));
  // As clients do: the query goes with every request.
  const session = engineUrl(server, 'polling', `${query}&sid=${sid}`);
  await send(session, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '40' });
  let packet;
  while (packet === undefined) {
    const { body } = await send(session);
    // A ping may come first.
    packet = body.split('\x1e').find((frame) => frame.startsWith('4'));
  }
  await send(session, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '1' });
  return packet;
}
