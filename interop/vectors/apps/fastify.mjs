import cookies from '@fastify/cookie';
import session from '@fastify/session';
import fastify from 'fastify';
import { ids } from './ids.mjs';

/** Fastify 5 + @fastify/session. The user is where @fastify/passport keeps it. */
export async function createApp({ cookie, secrets, cookie_prefix: cookiePrefix }, record) {
  const server = fastify();
  const nextId = ids();
  const idGenerator = (request) => {
    request.hasNewSession = true;
    return nextId();
  };
  await server.register(cookies);
  await server.register(session, {
    cookieName: cookie,
    cookiePrefix,
    secret: secrets,
    store: storeOf(record),
    idGenerator,
    saveUninitialized: false,
    cookie: { secure: false, maxAge: 60 * 60 * 1000 },
  });
  server.get('/', async ({ hasNewSession, session }) => ({
    isNew: hasNewSession ?? false,
    user: session.passport,
  }));
  server.get('/login', async ({ session, query }) => {
    session.passport = JSON.parse(query.user);
    return '';
  });
  await server.ready();
  return server.routing;
}

const storeOf = (record) => ({
  get(sid, callback) {
    const text = record.get(sid);
    let parsed;
    try {
      parsed = text ? JSON.parse(text) : null;
    } catch (error) {
      return callback(error);
    }
    callback(null, parsed);
  },
  set(_sid, content, callback) {
    record.set(JSON.stringify(content));
    callback();
  },
  destroy(_sid, callback) {
    record.destroy();
    callback();
  },
});
