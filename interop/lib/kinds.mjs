import { randomBytes } from 'node:crypto';
import { withBrokenSignature } from './cookies.mjs';

const aSecret = () => randomBytes(24).toString('hex');
const aKey = () => randomBytes(32).toString('base64');

// `afterLogout`: what the cookies that the browser then has are worth.
// `args`: options that app, demo and doctor have in common.
export const KINDS = [
  { name: 'cookie-session', kind: 'cookie-session', cookieName: 'session', afterLogout: 'not_logged_in' },
  { name: 'koa-session in the cookie', kind: 'koa', cookieName: 'koa.sess', afterLogout: 'not_logged_in' },
  { name: 'koa-session in Redis', kind: 'koa', cookieName: 'koa.sess', inRedis: true, afterLogout: 'not_logged_in' },
  {
    name: 'koa-generic-session in Redis',
    kind: 'koa-generic',
    cookieName: 'koa.sid',
    inRedis: true,
    afterLogout: 'no_session_cookie',
  },
  {
    name: '@fastify/session in Redis',
    kind: 'fastify',
    cookieName: 'sessionId',
    inRedis: true,
    afterLogout: 'no_session_cookie',
  },
  {
    name: '@fastify/secure-session with keys',
    kind: 'fastify-secure',
    cookieName: 'session',
    newSecret: aKey,
    afterLogout: 'not_logged_in',
  },
  {
    name: '@fastify/secure-session with a secret, a salt and an expiry',
    kind: 'fastify-secure',
    cookieName: 'session',
    oneSecret: true,
    args: ['--salt', 'Na2SO4 + 10 H2O!', '--expiry', '900'],
    afterLogout: 'not_logged_in',
  },
];

/** Two secrets as an app of this kind takes them, the newest first, or one where it takes one. */
export const secretsFor = ({ newSecret = aSecret, oneSecret }) => [newSecret(), ...(oneSecret ? [] : [newSecret()])];

/** What may become of a visitor's cookies on their way: how to say it, the cookies, the code in the log. */
export function tamperings({ kind, cookieName }, cookie) {
  if (kind === 'fastify') {
    return [
      ['another id', changed(cookie, cookieName, withOtherStart), 'bad_signature'],
      ['another signature', changed(cookie, cookieName, withBrokenSignature), 'bad_signature'],
    ];
  }
  if (kind === 'fastify-secure') {
    const [box, nonce] = cookie.slice(`${cookieName}=`.length).split('%3B');
    return [
      ['another box', changed(cookie, cookieName, withOtherStart), 'bad_signature'],
      ['another nonce', `${cookieName}=${box}%3B${withOtherStart(nonce)}`, 'bad_signature'],
      ['a shorter nonce', `${cookieName}=${box}%3B${nonce.slice(4)}`, 'malformed_cookie'],
      ['no nonce', `${cookieName}=${box}`, 'malformed_cookie'],
    ];
  }
  return [
    ['another value', changed(cookie, cookieName, withOtherStart), 'bad_signature'],
    ['another signature', changed(cookie, `${cookieName}.sig`, withOtherStart), 'bad_signature'],
    ['no signature', cookie.split('; ').find((pair) => pair.startsWith(`${cookieName}=`)), 'malformed_cookie'],
  ];
}

const withOtherStart = (value) => (value.startsWith('A') ? 'B' : 'A') + value.slice(1);

/** The Cookie header with another value for one of its names. */
function changed(header, name, change) {
  const pairs = header.split('; ').map((pair) => {
    const [, found, value] = /^([^=]*)=(.*)$/.exec(pair);
    return found === name ? `${name}=${change(value)}` : pair;
  });
  return pairs.join('; ');
}
