import express from 'express';
import session from 'express-session';
import { createRequire } from 'node:module';
import { ids } from './ids.mjs';

const require = createRequire(import.meta.url);

/** Express 5 + express-session + Passport, `passport` being the package of one version. */
export function createAppWith(passportPackage) {
  return (app, record) => createApp(app, record, require(passportPackage));
}

function createApp({ cookie, secrets }, record, { Passport }) {
  const passport = new Passport();
  passport.serializeUser((user, done) => done(null, user.key));
  passport.deserializeUser((key, done) => done(null, { key }));

  const nextId = ids();
  const genid = (req) => {
    req.hasNewSession = true;
    return nextId();
  };
  const server = express();
  server.use(
    session({
      name: cookie,
      secret: secrets,
      store: new Store(record),
      genid,
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: 60 * 60 * 1000 },
    }),
  );
  server.use(passport.initialize());
  server.use(passport.session());

  server.get('/', (req, res) => res.json({ isNew: req.hasNewSession ?? false, user: req.user?.key }));
  // A visitor with a session and no login.
  server.get('/visit', (req, res) => {
    req.session.views = 1;
    res.end();
  });
  server.get('/login', (req, res, next) => {
    const user = { key: JSON.parse(req.query.user) };
    req.login(user, (error) => (error ? next(error) : res.end()));
  });
  server.get('/logout', (req, res, next) => {
    // Before 0.6 it takes no callback.
    if (req.logout.length === 0) {
      req.logout();
      res.end();
    } else {
      req.logout((error) => (error ? next(error) : res.end()));
    }
  });
  server.use((_error, _req, res, _next) => res.status(500).end());
  return server;
}

/** As connect-redis: no text is no session, and what `JSON.parse` throws is the store's error. */
class Store extends session.Store {
  constructor(record) {
    super();
    this.record = record;
  }

  get(sid, callback) {
    const text = this.record.get(sid);
    if (!text) return callback();
    let parsed;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      return callback(error);
    }
    callback(null, parsed);
  }

  set(_sid, content, callback) {
    this.record.set(JSON.stringify(content));
    callback();
  }

  touch(_sid, _content, callback) {
    callback();
  }

  destroy(_sid, callback) {
    this.record.destroy();
    callback();
  }
}
