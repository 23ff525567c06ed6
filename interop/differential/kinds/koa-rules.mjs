/** Every deliberate difference from koa-session: see express-rules.mjs. */

import {
  deepRecords,
  emptySecrets,
  forbiddenIds,
  isBefore,
  isCorrupt,
  keptDigits,
  largeRecords,
  unholdableUsers,
} from './common-rules.mjs';
import { noObjects, olderCookies } from './keygrip-rules.mjs';

export const rules = [
  forbiddenIds,
  emptySecrets,
  deepRecords,
  largeRecords,
  unholdableUsers,
  keptDigits,
  noObjects,
  {
    name: 'records that replace `toJSON`, and have expired',
    explains: ({ theirs, ours }) => theirs.session === 'new' && isCorrupt(ours, 'toJSON'),
  },
  ...olderCookies,
  {
    name: 'koa-session before 7: an `_expire` of another type counts, and 0 does not',
    concerns: isBefore7,
    explains: ({ theirs, ours }) => {
      const { _expire } = recordOf(theirs);
      if (theirs.session === 'found') return hasExpired(ours) && _expire === 0;
      return !['number', 'undefined'].includes(typeof _expire) && ['found', 'error'].includes(ours.session);
    },
  },
  {
    name: 'koa-session before 7: members named as its own throw',
    concerns: isBefore7,
    explains: ({ theirs }) =>
      theirs.session === 'error' && OWN.some((name) => Object.hasOwn(recordOf(theirs), name)),
  },
];

function isBefore7(packages) {
  return isBefore(packages['koa-session'], [7, 0]);
}

const recordOf = ({ read }) => JSON.parse(read ?? '{}') ?? {};

const hasExpired = (ours) => ours.session === 'new' && ours.why.includes('expired');

/** It can't set them, or loses itself. */
const OWN = ['length', 'populated', '_ctx'];
