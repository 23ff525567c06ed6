import Koa from 'koa';
import session from 'koa-session';
import older from 'koa-session-5';
import { requireOf } from '../packages.mjs';

const Keygrip = requireOf('koa')('keygrip');

/**
 * Koa 3 + koa-session 7, or 5 where the cookie has that one's name. The user is where koa-passport keeps it.
 */
export function createApp({ cookie, keys, hash, in_store: inStore }, record, maxAge) {
  const server = new Koa();
  server.keys = hash === 'sha1' ? keys : new Keygrip(keys, hash);
  server.silent = true;
  server.use(
    (cookie === 'koa:sess' ? older : session)(
      {
        key: cookie,
        maxAge,
        ...(inStore && { store: storeOf(record), genid: () => 'f2a95ea7-cbea-40fc-9ca7-433c4399dc18' }),
      },
      server,
    ),
  );
  server.use((ctx) => {
    if (ctx.path === '/login') ctx.session.passport = { user: JSON.parse(ctx.query.user) };
    ctx.body = { isNew: ctx.session.isNew, user: ctx.session.passport?.user };
  });
  return server.callback();
}

const storeOf = (record) => ({
  get: async (key) => JSON.parse(record.get(key) ?? null),
  set: async (_key, content) => record.set(JSON.stringify(content)),
  destroy: async () => record.destroy(),
});
