import { text } from 'node:stream/consumers';
import { KoaPassport } from 'koa-passport';
import { createPassport } from '../passport.mjs';

/** Passport and the routes of both Koa apps, the same as those of the Express app. */
export function useRoutes(app) {
  const passport = createPassport(KoaPassport);
  const authenticate = passport.authenticate('local');

  const routes = {
    async 'POST /login'(ctx) {
      ctx.request.body = Object.fromEntries(new URLSearchParams(await text(ctx.req)));
      await authenticate(ctx, () => {
        ctx.body = { user: ctx.state.user.profile };
      });
    },

    async 'POST /logout'(ctx) {
      await ctx.logout();
      ctx.status = 204;
    },

    async 'GET /visit'(ctx) {
      ctx.session.views = (ctx.session.views ?? 0) + 1;
      ctx.body = { views: ctx.session.views };
    },

    async 'GET /me'(ctx) {
      const known = ctx.isAuthenticated();
      ctx.status = known ? 200 : 401;
      ctx.body = known ? { user: ctx.state.user.profile, key: ctx.session.passport.user } : { user: null };
    },
  };

  app.use(passport.initialize());
  app.use(passport.session());
  app.use((ctx) => routes[`${ctx.method} ${ctx.path}`]?.(ctx));
}
