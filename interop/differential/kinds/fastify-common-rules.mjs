/** Deliberate differences that both kinds of Fastify sessions have. */

import { isBefore, isCorrupt } from './common-rules.mjs';

/** To @fastify/passport everything but null and undefined is a user. */
export const emptyUsers = {
  name: 'the empty string and false are no users',
  explains: ({ theirs, ours }) =>
    ours.session === 'found' && !('user' in ours) && (theirs.user === '' || theirs.user === false),
};

/** Such a session has no `passport`, and so no login. */
export const noObjects = {
  name: 'records that are no object',
  explains: ({ theirs, ours }) =>
    theirs.session === 'found' &&
    !('user' in theirs) &&
    (isCorrupt(ours, 'no JSON object') || isCorrupt(ours, 'not JSON')) &&
    !isObject(JSON.parse(theirs.json)),
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Both refuse, with different words. */
export const endedAndCorrupt = {
  name: 'records that have ended, and could not be read here',
  explains: ({ theirs, ours }) =>
    theirs.session === 'new' &&
    ['nests deeper', 'more than the limit', 'not JSON', '`get`'].some((why) => isCorrupt(ours, why)),
};

/** `request.cookies` is `{}` then, and these names are found in it. */
export const inheritedNames = {
  name: 'no cookies, and a name of a member of Object.prototype',
  explains: ({ testCase, theirs, ours }) =>
    testCase.name in Object.prototype &&
    testCase.headers.join('; ') === '' &&
    theirs.session === 'error' &&
    ours.why === 'there is no session cookie',
};

export const olderCookies = [
  {
    name: 'cookie before 1.0: quotes are dropped',
    concerns: ({ cookie }) => isBefore(cookie, [1, 0]),
    explains: ({ testCase, ours }) =>
      ours.session === 'new' && /=\s*"[^;]*"\s*(;|$)/.test(testCase.headers.join('; ')),
  },
  {
    name: 'cookie before 1.0: cookies named as a member of Object.prototype',
    concerns: ({ cookie }) => isBefore(cookie, [1, 0]),
    explains: ({ testCase, theirs }) => testCase.name in Object.prototype && theirs.session === 'error',
  },
];
