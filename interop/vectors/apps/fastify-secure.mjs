import secureSession from '@fastify/secure-session';
import fastify from 'fastify';

/** Fastify 5 + @fastify/secure-session. The user is where @fastify/passport keeps it. */
export async function createApp({ cookie, keys, secret, salt, expiry }) {
  const server = fastify();
  await server.register(secureSession, {
    cookieName: cookie,
    key: keys?.map((key) => Buffer.from(key, 'base64')),
    secret,
    salt,
    expiry,
    cookie: { path: '/' },
  });
  server.get('/', async ({ cookies, session }) => ({
    // What the package itself asks, before it begins a new one.
    isNew: server.decodeSecureSession(cookies[cookie]) === null,
    user: session.get('passport'),
  }));
  server.get('/login', async ({ session, query }) => {
    session.set('passport', JSON.parse(query.user));
    return '';
  });
  await server.ready();
  return server.routing;
}
