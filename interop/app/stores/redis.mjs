import { readFileSync } from 'node:fs';
import { RedisStore } from 'connect-redis';
import { createClient, createCluster } from 'redis';

/**
 * connect-redis at the URL that the Rust side takes too: `redis://HOST:PORT/?prefix=…`, with TLS as
 * `rediss://HOST:PORT/?ca=FILE`, a cluster as `redis://HOST:PORT,HOST:PORT/?cluster=true`.
 */
export async function openRedisStore(storeUrl) {
  const [base, query] = storeUrl.split('?');
  const parameters = new URLSearchParams(query);
  const ca = parameters.get('ca');
  const socket = { ...(ca && { ca: readFileSync(ca) }) };

  const connect = parameters.get('cluster') === 'true' ? connectCluster : connectRedis;
  const client = await connect(base, socket);
  const prefix = parameters.get('prefix') ?? undefined;
  return { store: new RedisStore({ client, prefix }), close: () => client.destroy() };
}

export async function connectRedis(url, socket = {}) {
  const client = createClient({ url, socket: { ...socket, reconnectStrategy: 50 } });
  // Without a listener an outage, which some tests make on purpose, would end the process.
  client.on('error', () => {});
  return client.connect();
}

async function connectCluster(base, socket) {
  const [, scheme, hosts] = /^(\w+:\/\/)([^/]*)/.exec(base);
  const cluster = createCluster({
    rootNodes: hosts.split(',').map((host) => ({ url: scheme + host })),
    defaults: { socket },
  });
  cluster.on('error', () => {});
  return cluster.connect();
}
