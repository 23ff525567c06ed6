import assert from 'node:assert/strict';
import { within } from './wait.mjs';

// All that the demo sends: a 2.x client can't listen to everything.
const TO_ALL = ['online', 'message'];
const EVENTS = ['session_ended', ...TO_ALL];

// How a login's end ends the connection: with `reconnect: true` the server closes the connection.
const DISCONNECTED = ['io server disconnect'];
const CUT = ['transport close', 'transport error'];

/** Records all that a client's handlers receive, in order. */
export function ledger(socket) {
  const entries = [];
  if (socket.onAny) socket.onAny((...event) => entries.push(event));
  else EVENTS.forEach((name) => socket.on(name, (...args) => entries.push([name, ...args])));
  const left = new Promise((resolve) => {
    socket.on('disconnect', (reason) => {
      entries.push(['disconnect', reason]);
      resolve(performance.now());
    });
  });

  return {
    entries,

    /** The moment of the disconnect. */
    left: (ms) => within(left, () => `a disconnect; there was ${JSON.stringify(entries)}`, ms),

    /**
     * `session_ended` was its last event, and then it was disconnected. Returns when that was.
     * An event that another thread sends to the whole namespace at that moment may come between.
     */
    async ended(notice, ms) {
      const at = await this.left(ms);
      const end = entries.slice(entries.findIndex(([event]) => event === 'session_ended'));
      const ownEnd = end.filter(([event]) => !TO_ALL.includes(event));
      const [, reason] = entries.at(-1);
      assert.deepEqual(ownEnd, [['session_ended', notice], ['disconnect', reason]]);
      assert.ok((notice.reconnect ? CUT : DISCONNECTED).includes(reason), reason);
      return at;
    },

    /** Nothing has ended it. */
    assertOpen() {
      const isEnd = ([event]) => ['session_ended', 'disconnect'].includes(event);
      assert.ok(!entries.some(isEnd), JSON.stringify(entries));
    },
  };
}
