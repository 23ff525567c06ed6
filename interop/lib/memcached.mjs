import { launch } from './children.mjs';
import { freePort, listens } from './free-port.mjs';

/** A real memcached. */
export async function startMemcached() {
  const port = await freePort();
  // Without UDP; it changes to this user if root starts it.
  const args = ['-U', '0', '-l', '127.0.0.1', '-u', 'nobody', '-p', `${port}`];
  const server = await launch('memcached', 'memcached', args, { ready: /^/ });
  await listens(port);
  return { storeUrl: `memcached://127.0.0.1:${port}`, close: () => server.kill() };
}
