/**
 * Every deliberate difference from Node, and no other: docs/differences.md tells the same to users.
 *
 * A rule explains a difference if it could have been told beforehand from the case and from both answers.
 * `concerns` limits it to versions of the packages; the newest ones must then agree with us.
 */

const decoded = (payload) => payload?.toString() ?? '';
const cookieHeader = ({ headers }) => headers.join('; ');
const isCorrupt = (ours, reason) => ours.session === 'error' && ours.why.includes(reason);
const major = (version) => version.split('.').map(Number);
const isBefore = (version, [first, second]) => {
  const [a, b] = major(version);
  return a < first || (a === first && b < second);
};

export const rules = [
  {
    name: 'session ids that could escape into keys, patterns or paths',
    explains: ({ theirs, ours }) =>
      ours.session === 'new' &&
      ours.why.includes('forbidden character') &&
      theirs.asked !== null &&
      /[\p{Cc}*]|\.\.\//u.test(theirs.asked),
  },
  {
    name: 'empty secrets',
    explains: ({ testCase, ours }) => ours.session === 'refused' && testCase.secrets.includes(''),
  },
  {
    name: 'records deeper than 64',
    explains: ({ theirs, ours }) => theirs.session === 'found' && isCorrupt(ours, 'nests deeper'),
  },
  {
    name: 'records larger than 1 MiB',
    explains: ({ testCase, theirs, ours }) =>
      theirs.session === 'found' && isCorrupt(ours, 'more than the limit') && testCase.payload.length > 1024 * 1024,
  },
  {
    name: 'lone surrogates and infinite numbers in the user key',
    explains: ({ theirs, ours }) =>
      theirs.session === 'found' && isCorrupt(ours, 'not JSON') && hasUnholdable(theirs.user),
  },
  {
    name: 'lone surrogates and infinite numbers beside it, in `passport` or `cookie`',
    explains: ({ theirs, ours }) =>
      theirs.session === 'found' &&
      isCorrupt(ours, 'not JSON') &&
      !hasUnholdable(theirs.user) &&
      hasUnholdableBeside(theirs.json),
  },
  {
    name: 'integers beyond 2^53 keep their digits',
    explains: ({ ours, differs }) => ours.keeps_digits && differs === 'digits',
  },
  {
    name: 'a `__proto__` in the `cookie` that replaces its checks',
    explains: ({ theirs, ours }) =>
      theirs.session === 'found' &&
      isCorrupt(ours, 'maxAge') &&
      Object.hasOwn(JSON.parse(theirs.json).cookie, '__proto__'),
  },
  {
    name: 'cookies named as a member of Object.prototype',
    explains: ({ testCase, theirs }) =>
      testCase.name in Object.prototype && theirs.session === 'error' && theirs.asked === null,
  },
  {
    name: 'cookie before 0.5: any white space around names and values',
    concerns: ({ cookie }) => isBefore(cookie, [0, 5]),
    explains: ({ testCase }) => /(^|[;=\s])\xa0|\xa0($|[;=\s])/.test(cookieHeader(testCase)),
  },
  {
    name: 'cookie before 0.5: an opening quote drops the last character',
    concerns: ({ cookie }) => isBefore(cookie, [0, 5]),
    explains: ({ testCase }) => /=\s*"[^;]*[^;"\s]\s*(;|$)/.test(cookieHeader(testCase)),
  },
  {
    name: 'cookie from 1.0: quotes belong to the value',
    concerns: ({ cookie }) => !isBefore(cookie, [1, 0]),
    explains: ({ testCase, theirs }) => theirs.asked === null && /=\s*"[^;]*"\s*(;|$)/.test(cookieHeader(testCase)),
  },
  {
    name: 'express-session before 1.17: any `cookie` and `maxAge`',
    concerns: (packages) => isBefore(packages['express-session'], [1, 17]),
    explains: ({ theirs, ours }) => theirs.session === 'found' && isCorrupt(ours, '`cookie'),
  },
];

/** In a member that is read: in its value, or in a duplicate key's, which `JSON.parse` has forgotten. */
function hasUnholdableBeside(json) {
  const { passport, cookie, ...rest } = JSON.parse(json);
  return hasUnholdable(passport) || hasUnholdable(cookie) || (UNHOLDABLE_LITERAL.test(json) && !hasUnholdable(rest));
}

const HIGH = String.raw`\\u[dD][89abAB][\da-fA-F]{2}`;
const LOW = String.raw`\\u[dD][c-fC-F][\da-fA-F]{2}`;
const UNHOLDABLE_LITERAL = new RegExp(`${HIGH}(?!${LOW})|(?<!${HIGH})${LOW}|\\d[eE]\\+?\\d{3}`);

function hasUnholdable(value) {
  if (typeof value === 'string') return !value.isWellFormed();
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, member]) => !key.isWellFormed() || hasUnholdable(member));
}
