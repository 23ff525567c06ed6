/** @fastify/secure-session and @fastify/passport against `SecureSessionSource`. */

import { at } from '../clock.mjs';
import { Host, userOf } from '../fastify.mjs';
import { cookieHeaders } from '../generate/cookie-headers.mjs';
import { aMoment, away, record } from '../generate/fastify.mjs';
import { UNHOLDABLE, value } from '../generate/json.mjs';
import { keys, secretbox } from '../generate/secretbox.mjs';
import { load, versions } from '../packages.mjs';
import { parsing } from '../parsing.mjs';

export { rules } from './fastify-secure-rules.mjs';

export const name = 'fastify-secure';

const DEFAULT_EXPIRY = 86_401;

export function generate(random) {
  const cookieName = random.weighted([
    [180, 'session'],
    [20, 'my-session'],
    [6, 'a!#$&\'*+-.^_`|~z'],
    [8, '__proto__'],
    [8, 'toString'],
  ]);
  const secrets = keys(random);
  const expiry = random.weighted([[6, undefined], [1, 0], [1, 1], [1, 60], [1, 3600], [1, 30 * 86_400]]);
  const now = aMoment(random);
  const payload = record(random, (r) => (r.chance(0.97) ? [['__ts', writtenAt(r, { now, expiry })]] : []));
  return {
    kind: 'fastify-secure',
    name: cookieName,
    secrets,
    expiry,
    headers: cookieHeaders(random, cookieName, secretbox(random, payload, secrets)),
    payload: null,
    now,
  };
}

const ODD_TIMES = [
  ...['0', '-1', '-86401', '-1e300', '1e300', '1.7976931348623157e308', '9007199254740993', '1e-400'],
  ...['null', 'true', 'false', '""', '"5"', '"1795401605"', '[]', '[1795401605]', '{}', '{"toString":1}'],
];

/** `__ts`, in seconds: when the session was written, as its end is now, or soon, or was long ago. */
function writtenAt(random, { now, expiry }) {
  const lasts = expiry || DEFAULT_EXPIRY;
  return random.weighted([
    [20, () => String(Math.round(now / 1000) - random.below(lasts))],
    [4, () => String(Math.round((now - lasts * 1000 + away(random)) / 1000))],
    // To the millisecond, and between two of them.
    [2, () => String((now + random.between(-1, 1)) / 1000 - lasts)],
    [2, () => String((now + random.between(-2, 2) / 2) / 1000 - lasts)],
    [1, () => random.pick(ODD_TIMES)],
    [1, () => value(random, 1)],
    [1, () => random.pick(UNHOLDABLE)],
  ]);
}

const combination = (replacements) => ({
  versions: {
    ...versions('@fastify/secure-session', {}, ['sodium-native']),
    ...versions('@fastify/cookie', replacements, ['cookie']),
    ...versions('@fastify/passport'),
  },
  end: endsIn(load('@fastify/secure-session'), load('@fastify/cookie', replacements)),
});

/** The first gets every case. */
export const combinations = () => [combination({}), combination({ cookie: 'cookie-0.7' })];

/** What a request ends with in this @fastify/secure-session, with this @fastify/cookie. */
function endsIn(secureSession, cookies) {
  return ({ now, ...testCase }) => at(now, () => end(testCase));

  async function end({ name, secrets, expiry, headers }) {
    const host = new Host();
    host.register(cookies, {});
    host.register(secureSession, { key: secrets, cookieName: name, expiry });
    // Every request has a session: whether it came with the cookie is known here alone.
    const { decodeSecureSession } = host;
    let found = null;
    host.decodeSecureSession = (...args) => (found = decodeSecureSession(...args));
    const { result, json } = await parsing(() => host.receive(headers));
    if (result.error) return { asked: null, session: 'error', why: String(result.error) };
    if (found === null) return { asked: null, session: 'new' };
    return { asked: null, session: 'found', json: String(json), ...userOf(result.req) };
  }
}
