// A small Socket.IO client: protocol 5 over Engine.IO 4, one WebSocket for all namespaces.
//
//   const lobby = new Connection().socket('/lobby');
//   lobby.on('connect', async () => console.log(await lobby.ask('whoami')));
//   lobby.on('online', ({ users, guests }) => …);
//   lobby.connect();
//
// It comes back by itself when the connection is lost or refused, and when the server says
// `try_again`. It does not after any other refusal, nor after `session_ended`, unless that invites
// it to. After that it connects over a new connection: a browser sends its cookie only when a
// connection opens, and the server closes the old one.

// Engine.IO's packets begin with one of these; in its MESSAGE, Socket.IO's with one of those.
const [OPEN, CLOSE, PING, PONG, MESSAGE] = '01234';
const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = '01234';

// The server puts its own in place of this.
const PATH = "/socket.io/";

const OPENING_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

class Emitter {
  #handlers = new Map();

  /** One handler for each event. */
  on(event, handler) {
    this.#handlers.set(event, handler);
    return this;
  }

  _fire(event, ...args) {
    return this.#handlers.get(event)?.(...args);
  }
}

/** The WebSocket. Fires `state`: `connecting`, `open`, or `waiting` to try again after it was lost. */
export class Connection extends Emitter {
  state = 'closed';
  #webSocket;
  #sockets = new Map();
  #patience = OPENING_MS;
  #attempts = 0;
  #deadline;
  #retry;

  /** The socket of a namespace: `connect()` it. */
  socket(namespace) {
    if (!this.#sockets.has(namespace)) this.#sockets.set(namespace, new Socket(this, namespace));
    return this.#sockets.get(namespace);
  }

  /** Opens the connection; at once, if it was waiting to. */
  open() {
    if (this.#webSocket) return;
    clearTimeout(this.#retry);
    const webSocket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}${PATH}?EIO=4&transport=websocket`);
    webSocket.onmessage = ({ data }) => webSocket === this.#webSocket && this.#hear(data);
    webSocket.onclose = () => webSocket === this.#webSocket && this.#lose();
    this.#webSocket = webSocket;
    this.#become('connecting');
    this.#expectMoreWithin(OPENING_MS);
  }

  /** Hangs up, and opens another connection after a moment: it carries the cookie of then. */
  reopen() {
    this.#openAnother('connecting');
  }

  #lose() {
    this.#openAnother('waiting');
  }

  #openAnother(state) {
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    const webSocket = this.#webSocket;
    this.#webSocket = undefined;
    webSocket?.close();
    this.#become(state);
    this.#retry = setTimeout(() => this.open(), this._nextPause());
    for (const socket of this.#sockets.values()) socket._left();
  }

  #hear(packet) {
    const type = packet[0];
    if (type === CLOSE) return this.#lose();
    if (type === OPEN) {
      const { pingInterval, pingTimeout } = JSON.parse(packet.slice(1));
      this.#patience = pingInterval + pingTimeout;
      this.#become('open');
      for (const socket of this.#sockets.values()) socket._join();
    } else if (type === PING) {
      this._send(PONG);
    } else if (type === MESSAGE) {
      const [, kind, namespace = '/', id, data] = /^.(.)(?:(\/[^,]*),?)?(\d*)(.*)$/s.exec(packet);
      this.#sockets.get(namespace)?._hear(kind, id, data && JSON.parse(data));
    }
    this.#expectMoreWithin(this.#patience);
  }

  /** The server pings. If it is silent for too long it is gone, whatever TCP still believes. */
  #expectMoreWithin(ms) {
    clearTimeout(this.#deadline);
    if (this.#webSocket) this.#deadline = setTimeout(() => this.#lose(), ms);
  }

  #become(state) {
    this.state = state;
    this._fire('state', state);
  }

  /** Doubles each time, and differs between clients: they shall not all come back at once. */
  _nextPause() {
    return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#attempts++) * (0.5 + Math.random() / 2);
  }

  _welcomed() {
    this.#attempts = 0;
  }

  _send(packet) {
    if (this.#webSocket?.readyState === WebSocket.OPEN) this.#webSocket.send(packet);
  }
}

/** A namespace. Fires the server's events, and `connect`, `disconnect`, `refused` (with its word). */
class Socket extends Emitter {
  /** `out`, `joining` or `in`. */
  state = 'out';
  #connection;
  #namespace;
  #wanted = false;
  /** Its login ended on this connection. */
  #ended = false;
  #retry;
  #lastId = 0;
  #questions = new Map();

  constructor(connection, namespace) {
    super();
    this.#connection = connection;
    this.#namespace = namespace;
  }

  connect() {
    this.#wanted = true;
    if (this.#connection.state === 'open' && this.#ended) this.#connection.reopen();
    else if (this.#connection.state === 'open') this._join();
    else if (this.#connection.state === 'closed') this.#connection.open();
  }

  /** Stays out, once it is out. */
  giveUp() {
    this.#wanted = false;
  }

  /** Emits an event. The server's acknowledgement is the answer. */
  ask(event, ...args) {
    if (this.state !== 'in') return Promise.reject(new Error('not connected'));
    const id = ++this.#lastId;
    this.#send(EVENT, id, [event, ...args]);
    return new Promise((resolve, reject) => this.#questions.set(`${id}`, { resolve, reject }));
  }

  #send(kind, id = '', data) {
    const namespace = this.#namespace === '/' ? '' : `${this.#namespace},`;
    this.#connection._send(MESSAGE + kind + namespace + id + (data ? JSON.stringify(data) : ''));
  }

  _join() {
    this.#ended = false;
    if (!this.#wanted || this.state !== 'out') return;
    this.state = 'joining';
    this.#send(CONNECT);
  }

  _hear(kind, id, data) {
    if (kind === CONNECT) {
      this.state = 'in';
      this.#connection._welcomed();
      this._fire('connect');
    } else if (kind === EVENT) {
      this.#hearEvent(id, data);
    } else if (kind === ACK) {
      this.#questions.get(id)?.resolve(data[0]);
      this.#questions.delete(id);
    } else if (kind === CONNECT_ERROR) {
      this.state = 'out';
      this.#wanted = data.message === 'try_again';
      if (this.#wanted) this.#retry = setTimeout(() => this._join(), this.#connection._nextPause());
      this._fire('refused', data.message);
    } else if (kind === DISCONNECT) {
      // A server that stops says this before it hangs up. So it is not asked again over this
      // connection, but over the next one.
      this._left();
      if (this.#wanted && this.#ended) this.connect();
    }
  }

  async #hearEvent(id, [event, ...args]) {
    if (event === 'session_ended') {
      this.#ended = true;
      this.#wanted = args[0].reconnect;
    }
    const answer = await this._fire(event, ...args);
    // With an id, the server waits for an acknowledgement.
    if (id) this.#send(ACK, id, [answer]);
  }

  _left() {
    clearTimeout(this.#retry);
    for (const { reject } of this.#questions.values()) reject(new Error('disconnected'));
    this.#questions.clear();
    const wasIn = this.state === 'in';
    this.state = 'out';
    if (wasIn) this._fire('disconnect');
  }
}
