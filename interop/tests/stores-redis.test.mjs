import { Redis } from '../lib/redis.mjs';
import { storeSteps } from '../lib/store-steps.mjs';

storeSteps({
  name: 'connect-redis',
  needs: ['redis'],
  async start() {
    const redis = await Redis.start();
    return { storeUrl: redis.url, close: () => redis.close() };
  },
  // Its TTL is rounded up to whole seconds.
  resolutionMs: 1_000,
});
