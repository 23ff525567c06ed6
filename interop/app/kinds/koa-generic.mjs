import Koa from 'koa';
import session from 'koa-generic-session';
import redisStore from 'koa-redis';
import { useRoutes } from './koa-routes.mjs';

/** Koa + koa-generic-session on koa-redis + koa-passport. */
export function createApp({ storeUrl, secrets, maxAge }) {
  const store = redisStore({ url: storeUrl });
  const app = new Koa();
  app.keys = secrets;

  app.use(session({ store, cookie: { maxAge } }));
  app.use((ctx, next) => {
    offerWhatPassportCalls(ctx);
    return next();
  });
  useRoutes(app);

  return { listener: app.callback(), close: () => store.quit() };
}

// Passport calls these two on the session. Here the one is the context's, and the other is done
// at the end of each request. They are not enumerable, so that they are no part of the session.
function offerWhatPassportCalls(ctx) {
  const regenerate = async () => {
    await ctx.regenerateSession();
    offerWhatPassportCalls(ctx);
  };
  Object.defineProperties(ctx.session, {
    regenerate: { value: (done) => regenerate().then(() => done(), done) },
    save: { value: (done) => done() },
  });
}
