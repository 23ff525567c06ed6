/** What Passport 0.2 to 0.7 keep in a session, and near misses. */

import { UNHOLDABLE, number, object, string, value } from './json.mjs';
import { anyText } from './text.mjs';

/** What an app's `serializeUser` may give, and some things it never would. */
export const user = (random) =>
  random.weighted([
    [12, () => String(random.between(1, 100_000))],
    [12, () => string(random, random.pick(['u1', '507f1f77bcf86cd799439011', 'jane@example.com', anyText(random)]))],
    [4, () => object(random, [['id', value(random, 1)], ['name', string(random, anyText(random))]])],
    [3, number],
    [1, '0'],
    [1, '"0"'],
    [1, '-0'],
    [1, 'null'],
    [1, 'false'],
    [1, 'true'],
    [1, '""'],
    [1, '[]'],
    [1, '{}'],
    [4, value],
    [1, () => `{"__proto__":${value(random, 1)}}`],
    [1, () => random.pick(UNHOLDABLE)],
  ]);

/** `req.session.passport` (0.2 leaves an empty one with every visitor, 0.3 to 0.5 after a logout). */
export const passport = (random) =>
  random.weighted([
    [40, () => `{"user":${user(random)}}`],
    [3, '{}'],
    [3, () => object(random, [['user', value(random)], ['user', user(random)]])],
    [2, () => object(random, random.shuffle([['user', user(random)], ['other', value(random)], ['', '1']]))],
    [2, value],
    [1, () => random.pick(['null', '[]', '"user"', '[{"user":1}]', '{"user":{"user":1}}'])],
    [1, () => random.pick(['{"User":1}', '{"user ":1}', '{"users":1}', '{"":1}'])],
    [1, () => `{"__proto__":{"user":${user(random)}}}`],
    [1, () => `{"user":1,"beside":${random.pick(UNHOLDABLE)}}`],
  ]);
