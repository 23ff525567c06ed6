import express from 'express';
import session from 'express-session';
import { createPassport } from './passport.mjs';
import { createRoutes } from './routes.mjs';

export function createApp({ store, secrets, cookieName, maxAge }) {
  const passport = createPassport();
  const app = express();

  // The session as the store itself returns it: no middleware has touched it.
  app.get('/stored', (req, res, next) => {
    store.get(req.query.sid, (error, stored) => {
      // To express-session this error says that there is none.
      if (error && error.code !== 'ENOENT') next(error);
      else res.json({ stored: stored ?? null });
    });
  });
  app.use(
    session({
      name: cookieName,
      secret: secrets,
      store,
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge },
    }),
  );
  app.use(passport.session());
  app.use(createRoutes(passport));
  app.use((_error, _req, res, _next) => {
    res.status(500).json({ error: 'internal' });
  });

  return app;
}
