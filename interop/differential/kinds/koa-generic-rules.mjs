/** Every deliberate difference from koa-generic-session: see express-rules.mjs. */

import {
  deepRecords,
  emptySecrets,
  forbiddenIds,
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
  ...olderCookies,
];
