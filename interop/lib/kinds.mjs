import { withBrokenSignature } from './cookies.mjs';

// `afterLogout`: what the cookies that the browser then has are worth.
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
];

/** What may become of a visitor's cookies on their way: how to say it, the cookies, the code in the log. */
export function tamperings({ kind, cookieName }, cookie) {
  if (kind === 'fastify') {
    return [
      ['another id', changed(cookie, cookieName, withOtherStart), 'bad_signature'],
      ['another signature', changed(cookie, cookieName, withBrokenSignature), 'bad_signature'],
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
