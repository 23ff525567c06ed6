/** What Passport 0.2 to 0.7 leave in a session of express-session, and the user that they find there. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { versions } from '../../differential/packages.mjs';

const PACKAGES = ['passport-0.2', 'passport-0.3', 'passport-0.4', 'passport-0.5', 'passport-0.6', 'passport'];
const ONE_PACKAGE = fileURLToPath(new URL('../passport-version.mjs', import.meta.url));

export const madeBy = () => ({
  ...versions('express-session', {}, ['cookie', 'cookie-signature']),
  passport: PACKAGES.map((name) => versions(name).passport),
  ...versions('express'),
});

/** Each in a process of its own: before 0.6 it changes the prototype of all requests. */
export async function vectors() {
  const all = [];
  for (const name of PACKAGES) {
    const { stdout } = await promisify(execFile)(process.execPath, [ONE_PACKAGE, name]);
    all.push(...JSON.parse(stdout));
  }
  return all;
}
