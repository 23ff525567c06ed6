import Koa from 'koa';
import session from 'koa-session';
import { connectRedis } from '../stores/redis.mjs';
import { useRoutes } from './koa-routes.mjs';

/** Koa + koa-session + koa-passport: sessions in the cookie, or with a store in that. */
export async function createApp({ storeUrl, secrets, maxAge }) {
  const app = new Koa();
  app.keys = secrets;

  const { store, close } = storeUrl ? await openStore(storeUrl) : {};
  app.use(session({ maxAge, store }, app));
  useRoutes(app);

  return { listener: app.callback(), close };
}

/** koa-session brings no store of its own: any object with these three will do. */
async function openStore(url) {
  const client = await connectRedis(url);
  const store = {
    get: async (key) => JSON.parse(await client.get(key)),
    set: async (key, content, ttl) => {
      await client.set(key, JSON.stringify(content), { PX: ttl });
    },
    destroy: async (key) => {
      await client.del(key);
    },
  };
  return { store, close: () => client.destroy() };
}
