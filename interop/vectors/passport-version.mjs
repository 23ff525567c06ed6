// The vectors of one version of Passport, as JSON: node vectors/passport-version.mjs passport-0.4
import { versions } from '../differential/packages.mjs';
import { createAppWith } from './apps/express.mjs';
import { answered, leftBy, login } from './sessions.mjs';

const USERS = [
  ['a number', 42],
  ['0', 0],
  ['a text', 'ann'],
  ['the text "0"', '0'],
  ['an object', { id: 42, roles: ['admin'] }],
  ['an array', ['ann', 42]],
  ['true', true],
];
const APP = { kind: 'express', cookie: 'connect.sid', secrets: ['keyboard cat'] };

const [name] = process.argv.slice(2);
const { passport: version } = versions(name);
const createApp = createAppWith(name);

const as = (what, left, session = 'found') => ({
  name: `Passport ${version}: ${what}`,
  app: APP,
  ...left,
  session,
});
const loggedOut = await leftBy(createApp, APP, login(42), '/logout');
const cases = [
  as('nobody logged in', await leftBy(createApp, APP, '/visit')),
  // Since 0.6 the session ends with the login, and nothing is stored under its id.
  as('logged out', loggedOut, loggedOut.stored === undefined ? 'new' : 'found'),
];
for (const [what, user] of USERS) {
  cases.push(as(`logged in, ${what}`, await leftBy(createApp, APP, login(user))));
}
console.log(JSON.stringify(await answered(createApp, cases)));
