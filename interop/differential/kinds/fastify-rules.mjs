/** Every deliberate difference from @fastify/session: see express-rules.mjs. */

import {
  deepRecords,
  emptySecrets,
  forbiddenIds,
  isCorrupt,
  keptDigits,
  largeRecords,
  unholdableBeside,
  unholdableUsers,
} from './common-rules.mjs';
import { emptyUsers, endedAndCorrupt, inheritedNames, noObjects, olderCookies } from './fastify-common-rules.mjs';

export const rules = [
  forbiddenIds,
  emptySecrets,
  deepRecords,
  largeRecords,
  unholdableUsers,
  unholdableBeside('cookie'),
  keptDigits,
  emptyUsers,
  noObjects,
  endedAndCorrupt,
  inheritedNames,
  ...olderCookies,
  {
    name: 'the empty session id',
    explains: ({ theirs, ours }) => theirs.asked === '' && ours.why?.includes('session id is empty'),
  },
  {
    name: 'records that have ended, with a member named `regenerate`',
    explains: ({ theirs, ours }) => theirs.why?.includes('regenerate is not a function') && ours.why?.includes('expired'),
  },
  {
    name: 'a `cookie.expires` or age that `JSON.stringify` would not write for a date or a number',
    explains: ({ theirs, ours }) => theirs.session !== 'error' && isCorrupt(ours, '`cookie.expires`'),
  },
];
