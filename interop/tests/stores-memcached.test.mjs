import { startMemcached } from '../lib/memcached.mjs';
import { storeSteps } from '../lib/store-steps.mjs';

storeSteps({
  name: 'connect-memcached',
  needs: ['memcached'],
  start: startMemcached,
  // Memcached counts whole seconds.
  resolutionMs: 1_000,
});

storeSteps({
  name: 'connect-memcached, with a prefix',
  needs: ['memcached'],
  async start() {
    const { storeUrl, close } = await startMemcached();
    return { storeUrl: `${storeUrl}?prefix=myapp:`, close };
  },
  resolutionMs: 1_000,
});
