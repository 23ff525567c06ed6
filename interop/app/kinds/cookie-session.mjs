import cookieSession from 'cookie-session';
import express from 'express';
import { createPassport } from '../passport.mjs';
import { createRoutes } from '../routes.mjs';

/** Express + cookie-session + Passport 0.7. */
export function createApp({ secrets, maxAge }) {
  const passport = createPassport();
  const app = express();

  app.use(cookieSession({ keys: secrets, maxAge }));
  app.use(whatPassportCalls);
  app.use(passport.session());
  app.use(createRoutes(passport));

  return { listener: app };
}

// Passport has called these two since 0.6, and cookie-session has neither. Apps either stay at
// Passport 0.5, which has a known hole (CVE-2022-25896), or do this: it is enough, because a session
// in the cookie has no id to regenerate and is saved with the response. JSON leaves functions out,
// but cookie-session counts them: every visitor gets a session, if an empty one.
function whatPassportCalls({ session }, _res, next) {
  session.regenerate = (done) => done();
  session.save = (done) => done();
  next();
}
