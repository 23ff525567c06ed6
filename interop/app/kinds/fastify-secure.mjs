import secureSession from '@fastify/secure-session';
import fastify from 'fastify';
import { addRoutes } from './fastify-routes.mjs';

const KEY_BYTES = 32;

/**
 * Fastify + @fastify/secure-session + @fastify/passport. Its secrets are keys in base64, newest first, or one
 * `secret` with the `salt` that goes with it.
 */
export async function createApp({ secrets, salt, expiry }) {
  const areKeys = secrets.every((secret) => Buffer.from(secret, 'base64').length === KEY_BYTES);
  const app = fastify();

  await app.register(secureSession, {
    ...(areKeys ? { key: secrets } : { secret: secrets[0], salt }),
    expiry,
    cookie: { path: '/' },
  });
  await addRoutes(app);
  await app.ready();

  return { listener: app.routing };
}
