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
    name: 'a `__ts` that is no number',
    explains: ({ theirs, ours }) => theirs.session !== 'error' && isCorrupt(ours, '`__ts`'),
  },
];
