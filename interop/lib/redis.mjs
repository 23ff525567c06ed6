import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createClient } from 'redis';
import { launch } from './children.mjs';
import { scratchFolder } from './scratch.mjs';

// Below the range from which systems hand out ports by themselves, so that
// nobody takes the port between a kill and the restart on it.
const PORTS = [15_000, 32_000];
const ATTEMPTS = 20;

/** A real redis-server that can be made to fail, and keeps nothing on disk unless it is `durable`. */
export class Redis {
  #durable;
  #folder;
  #port;
  #server;
  #frozen = false;

  static async start({ durable = false } = {}) {
    const redis = new Redis();
    redis.#durable = durable;
    redis.#folder = await scratchFolder();
    for (let attempt = 1; ; attempt += 1) {
      redis.#port = await freePort();
      try {
        await redis.restart();
        return redis;
      } catch (error) {
        // Another suite may have bound the port since we looked.
        if (attempt === ATTEMPTS || !/Address already in use/.test(error.message)) throw error;
      }
    }
  }

  get url() {
    return `redis://127.0.0.1:${this.#port}/`;
  }

  /** Back on the same port; empty, unless it is durable. */
  async restart() {
    this.#server = await this.#launch(this.#port);
  }

  #launch(port) {
    const args = ['--port', port, '--bind', '127.0.0.1', '--save', ''];
    args.push(...(this.#durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']));
    return launch('redis-server', 'redis-server', args.map(String), {
      cwd: this.#folder,
      ready: /Ready to accept connections/,
    });
  }

  /** A command that a durable one was given by others, somewhere else, since it was killed. */
  async commandWhileAway(...args) {
    const port = await freePort();
    const elsewhere = await this.#launch(port);
    await this.#command(`redis://127.0.0.1:${port}/`, args);
    await elsewhere.stop();
  }

  /** Connections are refused from here on. */
  async kill() {
    await this.#server.kill();
    this.#server = undefined;
  }

  /** Connections stay open and are accepted, but nothing is answered. */
  freeze() {
    this.#server.signal('SIGSTOP');
    this.#frozen = true;
  }

  thaw() {
    this.#server.signal('SIGCONT');
    this.#frozen = false;
  }

  command(...args) {
    return this.#command(this.url, args);
  }

  async #command(url, args) {
    const client = await this.#connect(url);
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  /** Sees every command of every client; `seen()` is complete up to its own call. */
  async monitor() {
    const [listener, marker] = [await this.#connect(), await this.#connect()];
    const lines = [];
    let onLine = () => {};
    await listener.monitor((line) => {
      lines.push(line);
      onLine(line);
    });
    return {
      async seen() {
        const end = `end-${lines.length}-${randomInt(2 ** 31)}`;
        const flushed = new Promise((resolve) => {
          onLine = (line) => line.includes(end) && resolve();
        });
        await marker.sendCommand(['ECHO', end]);
        await flushed;
        return lines.slice();
      },
      close() {
        listener.destroy();
        marker.destroy();
      },
    };
  }

  async close() {
    if (this.#frozen) this.thaw();
    await this.#server?.stop();
  }

  async #connect(url = this.url) {
    const client = createClient({ url, socket: { reconnectStrategy: false } });
    // Failures reach the caller through the command; the event would end the process.
    client.on('error', () => {});
    return client.connect();
  }
}

async function freePort() {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const port = randomInt(...PORTS);
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(() => true, () => false);
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
  throw new Error('found no free port for redis-server');
}
