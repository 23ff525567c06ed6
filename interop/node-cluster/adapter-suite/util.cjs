// In the place of the tests' `util.ts`: the first server is Node's, the second and third are Rust ones.
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { createInterface } = require('node:readline');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');
const { sleep, times, shouldNotHappen } = require('./their-util');
const { ask } = require('./ask');

/** A socket of a Rust server, as the tests see it. */
class RustSocket {
  #url;
  #data;

  constructor(url, id) {
    this.#url = url;
    this.id = id;
    this.rooms = { has: (room) => room === id || ask(url, 'rooms', { id }).includes(`${room}`) };
  }

  join(rooms) {
    ask(this.#url, 'join', { id: this.id, rooms: [rooms].flat().map(String) });
  }

  get handshake() {
    return ask(this.#url, 'handshake', { id: this.id });
  }

  set data(value) {
    this.#data = value;
    ask(this.#url, 'data', { id: this.id, value });
  }

  get data() {
    return this.#data;
  }
}

/** A Rust server, as the tests see it. */
class RustServer {
  #url;
  #process;
  #handlers = new Map();
  #heard = 0;
  #timer;

  static async start(args, adapter) {
    const server = new RustServer();
    server.#process = spawn(process.env.SUITE_SERVER, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(createInterface(server.#process.stdout), 'line');
    server.#url = line.replace('listening on ', '');
    server.adapter = adapter;
    return server;
  }

  get url() {
    return this.#url;
  }

  socket() {
    const [id] = ask(this.#url, 'ids');
    return new RustSocket(this.#url, id);
  }

  of(namespace) {
    if (namespace !== '/') ask(this.#url, 'namespace', { namespace });
    return this;
  }

  to(...rooms) {
    const emit = (event, ...args) => ask(this.#url, 'emit', { rooms: rooms.flat().map(String), event, args });
    return { emit };
  }

  /** What other servers send to the servers themselves. */
  on(event, handler) {
    this.#handlers.set(event, handler);
    this.#timer ??= setInterval(() => this.#hear(), 10);
  }

  #hear() {
    for (const { name, args, answer } of ask(this.#url, 'events', { number: this.#heard })) {
      const number = this.#heard;
      this.#heard += 1;
      const done = (value) => ask(this.#url, 'answer', { number, value });
      this.#handlers.get(name)?.(...args, ...(answer ? [done] : []));
    }
  }

  close() {
    clearInterval(this.#timer);
    this.#process.kill('SIGKILL');
  }
}

exports.times = times;
exports.sleep = sleep;
exports.shouldNotHappen = shouldNotHappen;

exports.setup = async (createAdapter) => {
  const [adapter, cleanUpRedis] = await createAdapter();
  const http = createServer();
  const node = new Server(http, { adapter });
  await new Promise((resolve) => http.listen(0, resolve));
  const servers = [node];
  for (let n = 1; n <= 2; n += 1) servers.push(await RustServer.start(createAdapter.rust, node.of('/').adapter));

  const urls = [`http://localhost:${http.address().port}`, servers[1].url, servers[2].url];
  const clientSockets = urls.map((url) => connect(url));
  const connection = once(node, 'connection');
  await Promise.all(clientSockets.map((client) => new Promise((resolve) => client.once('connect', resolve))));
  const serverSockets = [(await connection)[0], servers[1].socket(), servers[2].socket()];
  await sleep(200);
  return {
    servers,
    serverSockets,
    clientSockets,
    cleanup() {
      for (const server of servers) server.close();
      for (const client of clientSockets) client.disconnect();
      cleanUpRedis();
    },
  };
};
