/** The names that npm cookie writes and reads: in express-session 1.17 (cookie 0.4) and from 1.0.2 on. */

import { createRequire } from 'node:module';
import { versions } from '../../differential/packages.mjs';

const require = createRequire(import.meta.url);
const packages = [require('cookie-0.4'), require('cookie')];

export const madeBy = () => ({ cookie: ['cookie-0.4', 'cookie'].map((name) => versions(name).cookie).join(', ') });

const printable = Array.from({ length: 0x7f - 0x20 }, (_, n) => String.fromCharCode(0x20 + n));
const NAMES = ['connect.sid', 'app:sid', 'sess@app', 'web/sid', '', 'ß', 'sid\n', ...printable.map((c) => `a${c}b`)];

/** Whether a package writes a cookie of this name, and reads it again. */
function keeps({ serialize, parse }, name) {
  try {
    return parse(serialize(name, 'v'))[name] === 'v';
  } catch {
    return false;
  }
}

export const vectors = () =>
  NAMES.map((cookie) => ({
    name: JSON.stringify(cookie),
    cookie,
    kept: packages.every((cookiePackage) => keeps(cookiePackage, cookie)),
  }));
