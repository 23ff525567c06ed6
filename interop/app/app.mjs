import express from 'express';
import session from 'express-session';
import { createPassport } from './passport.mjs';
import { createRoutes } from './routes.mjs';

const ONE_HOUR = 60 * 60 * 1000;

export function createApp({ store, secrets, cookieName }) {
  const passport = createPassport();
  const app = express();

  app.use(
    session({
      name: cookieName,
      secret: secrets,
      store,
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: ONE_HOUR },
    }),
  );
  app.use(passport.session());
  app.use(createRoutes(passport));
  app.use((_error, _req, res, _next) => {
    res.status(500).json({ error: 'internal' });
  });

  return app;
}
