import cookieSession from 'cookie-session';
import express from 'express';
import { requireOf } from '../packages.mjs';

const Keygrip = requireOf('koa')('keygrip');

/** Express 5 + cookie-session. The user is where Passport keeps it. */
export function createApp({ cookie, keys, hash }) {
  const server = express();
  server.use(cookieSession({ name: cookie, keys: hash === 'sha1' ? keys : new Keygrip(keys, hash) }));

  server.get('/', ({ session }, res) => res.json({ isNew: session.isNew, user: session.passport?.user }));
  server.get('/login', (req, res) => {
    req.session.passport = { user: JSON.parse(req.query.user) };
    res.end();
  });
  return server;
}
