import passport from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { userByKey, userByName } from './users.mjs';

/** A Passport of its own, so that two apps in one process share nothing. */
export function createPassport(Passport = passport.Passport) {
  const instance = new Passport();

  instance.use(
    new LocalStrategy((name, password, done) => {
      const user = userByName(name);
      done(null, user?.password === password ? user : false);
    }),
  );
  instance.serializeUser((user, done) => done(null, user.key));
  instance.deserializeUser((key, done) => done(null, userByKey(key) ?? false));

  return instance;
}
