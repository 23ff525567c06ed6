import { Authenticator } from '@fastify/passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { userByKey, userByName } from '../users.mjs';

/** @fastify/passport and the routes of both Fastify apps, the same as those of the Express app. */
export async function addRoutes(app) {
  const passport = createPassport();
  await app.register(passport.initialize());
  await app.register(passport.secureSession());

  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, async (_request, body) =>
    Object.fromEntries(new URLSearchParams(body)),
  );

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
