import cookie from '@fastify/cookie';
import session from '@fastify/session';
import fastify from 'fastify';
import { openRedisStore } from '../stores/redis.mjs';
import { addRoutes } from './fastify-routes.mjs';

/** Fastify + @fastify/session on connect-redis + @fastify/passport. */
export async function createApp({ storeUrl, secrets, maxAge }) {
  const { store, close } = await openRedisStore(storeUrl);
  const app = fastify();

  await app.register(cookie);
  await app.register(session, {
    secret: secrets,
    store,
    saveUninitialized: false,
    cookie: { secure: false, maxAge },
  });
  await addRoutes(app);
  await app.ready();

  return { listener: app.routing, close };
}
