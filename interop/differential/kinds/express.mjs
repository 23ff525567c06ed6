/** express-session and Passport on a store that reads as connect-redis does, against `ExpressSource`. */

import { createRequire } from 'node:module';
import { cookieHeaders } from '../generate/cookie-headers.mjs';
import { storedSession } from '../generate/express-session.mjs';
import { secrets, sessionId, signed } from '../generate/signed.mjs';
import { load, versions } from '../packages.mjs';
import { userOf } from '../passport.mjs';
import { request } from '../request.mjs';

export { rules } from './express-rules.mjs';

const require = createRequire(import.meta.url);

export const name = 'express';

export function generate(random) {
  const cookieName = random.weighted([
    [180, 'connect.sid'],
    [20, 'sid'],
    [6, 'a!#$&\'*+-.^_`|~z'],
    [1, '__proto__'],
    [1, 'toString'],
  ]);
  const appSecrets = secrets(random);
  const value = signed(random, sessionId(random), appSecrets);
  const prefix = random.chance(0.97) ? 's:' : random.pick(['', 'S:', 's', 'j:', 's::', ' s:']);
  return {
    kind: 'express',
    name: cookieName,
    secrets: appSecrets,
    headers: cookieHeaders(random, cookieName, prefix + value),
    payload: storedSession(random),
  };
}

const combination = (session, replacements, dependencies) => ({
  versions: { ...versions(session, replacements, dependencies), passport: require('passport/package.json').version },
  end: endsIn(load(session, replacements)),
});

const COOKIES = ['cookie-0.4', 'cookie-0.7', 'cookie'];
const SIGNATURES = ['cookie-signature-1.0', 'cookie-signature'];

/** The first gets every case, the others share them. */
export const combinations = () => [
  combination('express-session', {}, ['cookie', 'cookie-signature']),
  combination('express-session-1.15', {}, ['cookie', 'cookie-signature']),
  ...['express-session', 'express-session-1.15'].flatMap((session) =>
    COOKIES.flatMap((cookie) =>
      SIGNATURES.map((signature) => combination(session, { cookie, 'cookie-signature': signature })),
    ),
  ),
];

/** What a request ends with in this express-session. Everything is synchronous here. */
function endsIn(session) {
  class FakeStore extends session.Store {
    asked = null;
    text = null;

    constructor(payload) {
      super();
      this.payload = payload;
    }

    get(sid, callback) {
      if (this.asked !== null) throw new Error('the store was asked twice');
      this.asked = sid;
      // As connect-redis: `if (!data) return cb()`, and an error of `JSON.parse` is the store's error.
      this.text = this.payload === null ? null : this.payload.toString();
      if (!this.text) return callback();
      let parsed;
      try {
        parsed = JSON.parse(this.text);
      } catch (error) {
        return callback(error);
      }
      callback(null, parsed);
    }
  }

  return function end({ name, secrets, headers, payload }) {
    const store = new FakeStore(payload);
    let isNew = false;
    const genid = () => {
      isNew = true;
      return 'a new session';
    };
    const req = request(headers);
    const res = { writeHead() {}, end() {} };
    let error;
    let went = 0;
    try {
      const options = { name, secret: secrets, store, genid, resave: false, saveUninitialized: false };
      session(options)(req, res, (problem) => {
        went++;
        error = problem;
      });
    } catch (thrown) {
      // Express 4 and 5 pass what a middleware throws to the error handler, too.
      error = thrown;
    }
    if (error) return { asked: store.asked, session: 'error', why: String(error) };
    if (went !== 1) throw new Error('the middleware did not go on');
    if (isNew) return { asked: store.asked, session: 'new' };
    if (store.asked === null || req.sessionID !== store.asked) throw new Error('a session out of nowhere');
    return { asked: store.asked, session: 'found', json: store.text, ...userOf(req) };
  };
}
