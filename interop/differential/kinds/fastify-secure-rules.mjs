/** Every deliberate difference from @fastify/secure-session: see express-rules.mjs. */

import { deepRecords, isCorrupt, keptDigits, largeRecords, unholdableBeside, unholdableUsers } from './common-rules.mjs';
import { emptyUsers, endedAndCorrupt, inheritedNames, noObjects, olderCookies } from './fastify-common-rules.mjs';

export const rules = [
  deepRecords,
  unholdableUsers,
  unholdableBeside('__ts'),
  keptDigits,
  emptyUsers,
  noObjects,
  endedAndCorrupt,
  inheritedNames,
  ...olderCookies,
  {
    name: 'base64 with characters beyond latin1, which each Node skips, ends at or takes for digits',
    explains: ({ theirs, ours }) => theirs.session !== 'new' && ours.why?.includes('no base64'),
  },
  {
    name: 'a `__ts` that is no number',
    explains: ({ theirs, ours }) => theirs.session !== 'error' && isCorrupt(ours, '`__ts`'),
  },
];
