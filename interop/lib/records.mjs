const ONE_HOUR = 60 * 60 * 1000;

/** A session as express-session stores it, valid for an hour, with `content` in it. */
export function record(content, expires = new Date(Date.now() + ONE_HOUR)) {
  const cookie = { originalMaxAge: ONE_HOUR, expires: expires.toISOString(), httpOnly: true, path: '/' };
  return JSON.stringify({ cookie, ...content });
}
