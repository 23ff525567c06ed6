import express from 'express';
import session from 'express-session';

/** An app whose users are whatever the login says they are, for Passport 0.2 to 0.7. */
export function createApp({ Passport, version, store, secrets }) {
  const isSynchronous = Number(version.split('.')[1]) < 6;
  const passport = new Passport();
  passport.serializeUser((user, done) => done(null, user.key));
  passport.deserializeUser((key, done) => done(null, { key }));

  const app = express();
  app.use(session({ secret: secrets, store, resave: false, saveUninitialized: false }));
  if (isSynchronous) app.use(passport.initialize());
  app.use(passport.session());
  app.use(express.json());

  app.get('/version', (_req, res) => {
    res.json({ version });
  });

  app.post('/login', (req, res, next) => {
    const { key, keepSessionInfo } = req.body;
    req.login({ key }, { keepSessionInfo }, (error) => (error ? next(error) : res.sendStatus(200)));
  });

  app.post('/logout', (req, res, next) => {
    const { keepSessionInfo } = req.body;
    const done = (error) => (error ? next(error) : res.sendStatus(204));
    if (!isSynchronous) return req.logout({ keepSessionInfo }, done);
    req.logout();
    done();
  });

  app.get('/visit', (req, res) => {
    req.session.views = (req.session.views ?? 0) + 1;
    res.json({ views: req.session.views });
  });

  app.get('/me', (req, res) => {
    const { views } = req.session;
    if (!req.isAuthenticated()) return res.status(401).json({ views });
    res.json({ key: req.user.key, views });
  });

  app.use((error, _req, res, _next) => {
    res.status(500).json({ error: error.message });
  });

  return app;
}
