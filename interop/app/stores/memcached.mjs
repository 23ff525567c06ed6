import connectMemcached from 'connect-memcached';
import session from 'express-session';

const MemcachedStore = connectMemcached(session);

/** connect-memcached at `memcached://HOST:PORT?prefix=…`. */
export async function openMemcachedStore(storeUrl) {
  const { host, searchParams } = new URL(storeUrl);
  const store = new MemcachedStore({ hosts: host, prefix: searchParams.get('prefix') ?? '' });
  return { store, close: () => store.client.end() };
}
