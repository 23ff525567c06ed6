/** Every deliberate difference from cookie-session: see express-rules.mjs. */

import {
  deepRecords,
  emptySecrets,
  isBefore,
  keptDigits,
  unholdableUsers,
} from './common-rules.mjs';
import { noObjects, olderCookies } from './keygrip-rules.mjs';

export const rules = [
  emptySecrets,
  deepRecords,
  unholdableUsers,
  keptDigits,
  noObjects,
  ...olderCookies,
  {
    name: 'cookie-session before 2: members named as its own throw, `__proto__` is the prototype',
    concerns: (packages) => isBefore(packages['cookie-session'], [2, 0]),
    explains: ({ theirs, ours }) =>
      (theirs.session === 'error' && OWN.some((name) => name in JSON.parse(ours.json))) ||
      (theirs.session === 'found' && Object.hasOwn(JSON.parse(theirs.json), '__proto__')),
  },
];

/** It can't set them. */
const OWN = ['isNew', 'length', 'populated'];
