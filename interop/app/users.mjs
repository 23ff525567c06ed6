import { isDeepStrictEqual } from 'node:util';

// `key` is what Passport puts into the session: a number for most, 0 because it
// is falsy and yet a user, an object because Passport allows any JSON value.
// jose and his password are those of the original module's own tests.
const USERS = [
  { key: 42, password: 'ann-s password', profile: { id: 42, name: 'ann', gender: 'female' } },
  { key: 7, password: 'bob-s password', profile: { id: 7, name: 'bob', gender: 'male' } },
  { key: 0, password: 'zero-s password', profile: { id: 0, name: 'zero', gender: 'male' } },
  {
    key: { provider: 'ldap', dn: 'cn=olga' },
    password: 'olga-s password',
    profile: { name: 'olga', gender: 'female' },
  },
  { key: 1, password: 'Pa123', profile: { id: 1, name: 'jose', mail: 'j@f.r', gender: 'male' } },
];

export function userByName(name) {
  return USERS.find((user) => user.profile.name === name);
}

export function userByKey(key) {
  return USERS.find((user) => isDeepStrictEqual(user.key, key));
}
