/** cookie-session and Passport against `CookieSessionSource`. */

import { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { hash, signedCookies, smallerCarried } from '../generate/keygrip.mjs';
import { base64, plainRecord } from '../generate/plain-session.mjs';
import { secrets } from '../generate/signed.mjs';
import { value } from '../generate/json.mjs';
import { load, versions } from '../packages.mjs';
import { parsing } from '../parsing.mjs';
import { userOf } from '../passport.mjs';
import { request } from '../request.mjs';

export { rules } from './cookie-session-rules.mjs';
export { smallerCarried as smaller };

const require = createRequire(import.meta.url);

export const name = 'cookie-session';

export function generate(random) {
  const cookie = {
    name: random.weighted([
      [120, 'session'],
      [20, 'express:sess'],
      [20, 'a!#$&\'*+-.^_`|~z'],
      [1, '__proto__'],
      [1, 'toString'],
    ]),
    secrets: secrets(random),
    hash: hash(random),
  };
  const value = base64(random, plainRecord(random, special));
  return { kind: 'cookie-session', ...cookie, headers: signedCookies(random, { ...cookie, value }), payload: null };
}

/** Names that mean something on a session of one version or the other. */
const OWN = ['isNew', 'isChanged', 'isPopulated', 'length', 'populated', '_ctx', '_json', 'save', 'changed', 'inspect'];

const special = (random) =>
  random.chance(0.03) ? [[random.pick([...OWN, 'toJSON', 'constructor']), value(random)]] : [];

const combination = (session, replacements, keygrip, dependencies) => ({
  versions: {
    ...versions(session, replacements, dependencies),
    keygrip: require(`${keygrip}/package.json`).version,
    passport: require('passport/package.json').version,
  },
  end: endsIn(load(session, replacements), require(keygrip)),
});

/** The first gets every case, the others share them. */
export const combinations = () => [
  combination('cookie-session', {}, 'keygrip', ['cookies']),
  combination('cookie-session-1', {}, 'keygrip', ['cookies']),
  ...['cookie-session', 'cookie-session-1'].flatMap((session) =>
    ['cookies', 'cookies-0.7'].flatMap((cookies) =>
      ['keygrip', 'keygrip-1.0'].map((keygrip) =>
        combination(session, { cookies: [cookies, { keygrip }] }, keygrip),
      ),
    ),
  ),
];

/** What a request ends with in this cookie-session, whose app takes its keys from this keygrip. */
function endsIn(session, Keygrip) {
  return async function end({ name, secrets, hash, headers }) {
    const req = request(headers);
    const keys = hash === 'sha1' ? secrets : new Keygrip(secrets, hash);
    let went = 0;
    session({ name, keys })(req, new ServerResponse(req), () => went++);
    if (went !== 1) throw new Error('the middleware did not go on');
    const { result, error, json } = await parsing(() => req.session);
    if (error) return { asked: null, session: 'error', why: String(error) };
    if (result.isNew) return { asked: null, session: 'new' };
    return { asked: null, session: 'found', json, ...userOf(req) };
  };
}
