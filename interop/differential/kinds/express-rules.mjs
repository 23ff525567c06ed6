/**
 * Every deliberate difference from Node, and no other: docs/differences.md lists the same for users.
 *
 * A rule explains a difference if the case and both answers predict it.
 * `concerns` limits it to versions of the packages; the newest ones must then agree with us.
 */

import {
  deepRecords,
  emptySecrets,
  forbiddenIds,
  isBefore,
  isCorrupt,
  keptDigits,
  largeRecords,
  unholdableBeside,
  unholdableUsers,
} from './common-rules.mjs';

const cookieHeader = ({ headers }) => headers.join('; ');

export const rules = [
  forbiddenIds,
  emptySecrets,
  deepRecords,
  largeRecords,
  unholdableUsers,
  unholdableBeside('cookie'),
  keptDigits,
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
