import { RedisStore } from 'connect-redis';
import { createClient } from 'redis';

/** connect-redis at `redis://HOST:PORT/?prefix=…`, the URL that the Rust side takes too. */
export async function openRedisStore(storeUrl) {
  const url = new URL(storeUrl);
  const prefix = url.searchParams.get('prefix') ?? undefined;
  url.search = '';

  const client = await connectRedis(url.href);
  return { store: new RedisStore({ client, prefix }), close: () => client.destroy() };
}

export async function connectRedis(url) {
  const client = createClient({ url, socket: { reconnectStrategy: 50 } });
  // Without a listener an outage, which some tests make on purpose, would end the process.
  client.on('error', () => {});
  return client.connect();
}
