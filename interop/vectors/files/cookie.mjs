/** npm cookie's `parse`, in the version that express-session brings. */

import { versions } from '../../differential/packages.mjs';
import { requireOf } from '../packages.mjs';

const { parse } = requireOf('express-session')('cookie');

export const madeBy = () => ({ cookie: versions('express-session', {}, ['cookie']).cookie });

/** `[name, header]`; the cookie is `n`. */
const HEADERS = [
  ['a cookie', 'n=v'],
  ['spaces around the =', 'n = v'],
  ['tabs around everything', '\tn\t=\tv\t;'],
  ['no space after the ;', 'a=1;n=v'],
  ['a comma is no separator', 'a=1,n=v'],
  ['the first of two', 'n=first; n=second'],
  ['the first of two, though empty', 'n=; n=second'],
  ['the first of two, though it has no =', 'n; n=v'],
  ['another case', 'N=v'],
  ['no =', 'n'],
  ['no = beside it', 'x; n=v; y'],
  ['in quotes', 'n="v"'],
  ['an opening quote', 'n="v'],
  ['a closing quote', 'n=v"'],
  ['a lone quote', 'n="'],
  ['empty quotes', 'n=""'],
  ['a ; within quotes', 'n="a;b"'],
  ['quotes and spaces', 'n= " v " '],
  ['a second =', 'n=a=b'],
  ['an encoded =', 'n=a%3Db'],
  ['an encoded ;', 'n=a%3bb'],
  ['an encoded letter that is not ASCII', 'n=%C3%A9'],
  ['a letter that is not ASCII', 'n=é'],
  ['no hexadecimal digits', 'n=%zz'],
  ['a lone %', 'n=%'],
  ['a % at the end', 'n=a%2'],
  ['an encoded surrogate', 'n=%ED%A0%80'],
  ['an overlong encoding', 'n=%C0%80'],
  ['one good and one bad encoding', 'n=%41%C3'],
  ['a + is no space', 'n=a+b'],
  ['an empty name', '=v'],
  ['nothing', ''],
  ['empty pairs', ';;;=;n=v'],
];

export const vectors = () =>
  HEADERS.map(([name, header]) => ({ name, header, cookie: 'n', value: parse(header).n ?? null }));
