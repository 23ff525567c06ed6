import cookie from '@fastify/cookie';
import { Authenticator } from '@fastify/passport';
import session from '@fastify/session';
import fastify from 'fastify';
import { Strategy as LocalStrategy } from 'passport-local';
import { openRedisStore } from '../stores/redis.mjs';
import { userByKey, userByName } from '../users.mjs';

/** Fastify + @fastify/session on connect-redis + @fastify/passport. */
export async function createApp({ storeUrl, secrets, maxAge }) {
  const { store, close } = await openRedisStore(storeUrl);
  const passport = createPassport();
  const app = fastify();

  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async (_request, body) =>
    Object.fromEntries(new URLSearchParams(body)),
  );
  await app.register(cookie);
  await app.register(session, {
    secret: secrets,
    store,
    saveUninitialized: false,
    cookie: { secure: false, maxAge },
  });
  await app.register(passport.initialize());
  await app.register(passport.secureSession());
  addRoutes(app, passport);
  await app.ready();

  return { listener: app.routing, close };
}

function createPassport() {
  const passport = new Authenticator();
  passport.use(
    new LocalStrategy((name, password, done) => {
      const user = userByName(name);
      done(null, user?.password === password ? user : false);
    }),
  );
  passport.registerUserSerializer(async (user) => user.key);
  passport.registerUserDeserializer(async (key) => userByKey(key) ?? false);
  return passport;
}

function addRoutes(app, passport) {
  app.post('/login', { preValidation: passport.authenticate('local') }, async (request) => ({
    user: request.user.profile,
  }));

  app.post('/logout', async (request, reply) => {
    await request.logOut();
    return reply.status(204).send();
  });

  app.get('/visit', async ({ session }) => {
    session.views = (session.views ?? 0) + 1;
    return { views: session.views };
  });

  app.get('/me', async (request, reply) => {
    if (!request.isAuthenticated()) return reply.status(401).send({ user: null });
    // Not `passport.user`: the user's key is all there is in `passport`.
    return { user: request.user.profile, key: request.session.passport };
  });
}
