import { randomInt } from 'node:crypto';
import { createClient } from 'redis';
import { launch } from './children.mjs';
import { freePort } from './free-port.mjs';
import { scratchFolder } from './scratch.mjs';
import { eventually } from './wait.mjs';

const ATTEMPTS = 20;

const SLOTS = 16_384;
// Where the nodes of a cluster talk to each other: so far above their ports.
const BUS = 20_000;

/** A real redis-server that can be made to fail, and keeps nothing on disk unless it is `durable`. */
export class Redis {
  #durable;
  #folder;
  #port;
  #server;
  #frozen = false;
  #args;
  #certificates;

  /**
   * `certificates`: it speaks TLS and nothing else. `args`: more options, made from its port.
   */
  static async start({ certificates, args = () => [], durable = false } = {}) {
    const redis = new Redis();
    redis.#durable = durable;
    redis.#args = args;
    redis.#certificates = certificates;
    redis.#folder = await scratchFolder();
    for (let attempt = 1; ; attempt += 1) {
      redis.#port = await freePort();
      try {
        await redis.restart();
        return redis;
      } catch (error) {
        // Another suite may have bound the port meanwhile.
        if (attempt === ATTEMPTS || !/Address already in use/.test(error.message)) throw error;
      }
    }
  }

  get port() {
    return this.#port;
  }

  get url() {
    return `${this.#certificates ? 'rediss' : 'redis'}://127.0.0.1:${this.#port}/`;
  }

  /** Back on the same port; empty, unless it is durable. */
  async restart() {
    this.#server = await this.#launch(this.#port);
  }

  #launch(port) {
    const args = [...this.#listen(port), '--bind', '127.0.0.1', '--save', ''];
    args.push(...(this.#durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']));
    args.push(...this.#args(port));
    return launch('redis-server', 'redis-server', args.map(String), {
      cwd: this.#folder,
      ready: /Ready to accept connections/,
    });
  }

  #listen(port) {
    if (!this.#certificates) return ['--port', port];
    const { ca, cert, key } = this.#certificates;
    const files = ['--tls-ca-cert-file', ca, '--tls-cert-file', cert, '--tls-key-file', key];
    return ['--port', 0, '--tls-port', port, '--tls-auth-clients', 'no', ...files];
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

/** A cluster of `count` nodes without replicas. */
export async function startRedisCluster(count) {
  const args = (port) => ['--cluster-enabled', 'yes', '--cluster-port', port + BUS];
  const nodes = await Promise.all(Array.from({ length: count }, () => Redis.start({ args })));
  for (const [n, node] of nodes.entries()) {
    const [from, to] = [n, n + 1].map((place) => Math.floor((SLOTS * place) / count));
    await node.command('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to - 1}`);
    await nodes[0].command('CLUSTER', 'MEET', '127.0.0.1', `${node.port}`, `${node.port + BUS}`);
  }
  const agrees = async (node) => {
    const info = await node.command('CLUSTER', 'INFO');
    return info.includes('cluster_state:ok') && info.includes(`cluster_size:${count}\r\n`);
  };
  for (const node of nodes) await eventually(() => agrees(node), 'the cluster to agree', 30_000);
  return {
    nodes,
    url: `redis://${nodes.map((node) => `127.0.0.1:${node.port}`).join(',')}/?cluster=true`,
    close: () => Promise.all(nodes.map((node) => node.close())),
  };
}
