/** Deliberate differences of the kinds that read their cookies with npm cookies. */

import { isBefore } from './common-rules.mjs';

/** A session that is no object has no members, and so no login. */
export const noObjects = {
  name: 'JSON that is no object is no session',
  explains: ({ theirs, ours }) =>
    theirs.session === 'found' &&
    !('user' in theirs) &&
    ours.session === 'new' &&
    ours.why === 'there is no session' &&
    !isObject(JSON.parse(theirs.json)),
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

export const olderCookies = [
  {
    name: 'cookies before 0.9: quotes belong to the value',
    concerns: ({ cookies }) => isBefore(cookies, [0, 9]),
    explains: ({ testCase }) => testCase.headers.some((header) => header.includes('="')),
  },
  {
    name: 'cookies before 0.9: cookies named as a member of Object.prototype',
    concerns: ({ cookies }) => isBefore(cookies, [0, 9]),
    explains: ({ testCase, theirs }) => testCase.name in Object.prototype && theirs.session !== 'found',
  },
];
