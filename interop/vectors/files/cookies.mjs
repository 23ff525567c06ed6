/** npm cookies' `get`, with which cookie-session and Koa read. */

import { versions } from '../../differential/packages.mjs';
import { requireOf } from '../packages.mjs';

const Cookies = requireOf('cookie-session')('cookies');

export const madeBy = () => ({ cookies: versions('cookie-session', {}, ['cookies']).cookies });

/** `[name, header]`; the cookie is `n`. */
const HEADERS = [
  ['a cookie', 'n=v'],
  ['spaces before it', '   n=v'],
  ['a tab before it', '\tn=v'],
  ['no space after the ;', 'a=1;n=v'],
  ['the first of two', 'a=1; n=first; n=second'],
  ['the first of two, though empty', 'n=; n=second'],
  ['the first of two, though it has no =', 'n; n=v'],
  ['spaces around the =', 'n = v'],
  ['a space after the =', 'n= v'],
  ['a space at the end', 'n=v '],
  ['the end of another name', 'xn=v'],
  ['a second =', 'n=a=b'],
  ['in quotes', 'n="v"'],
  ['an opening quote, and one character', 'n="v'],
  ['an opening quote, and two characters', 'n="vw'],
  ['an opening quote, and a letter that is not ASCII', 'n="é'],
  ['a closing quote', 'n=v"'],
  ['a lone quote', 'n="'],
  ['encoded', 'n=%20'],
  ['a comma', 'n=a,b'],
  ['another case', 'N=v'],
  ['no =', 'n'],
  ['nothing', ''],
];

export const vectors = () =>
  HEADERS.map(([name, header]) => {
    const cookies = new Cookies({ headers: { cookie: header } }, {});
    return { name, header, cookie: 'n', value: cookies.get('n') ?? null };
  });
