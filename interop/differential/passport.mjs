import { createRequire } from 'node:module';

const { SessionStrategy } = createRequire(import.meta.url)('passport').strategies;

/** The user that Passport finds in this request's session: `{user}`, or nothing. */
export function userOf(req) {
  let found = {};
  const strategy = new SessionStrategy((user) => (found = { user }));
  strategy.pass = () => {};
  strategy.authenticate(req);
  return found;
}
