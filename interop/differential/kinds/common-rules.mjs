/** Deliberate differences that several kinds have, and what their rules ask. */

/** Ours calls the record corrupt, for this reason. */
export const isCorrupt = (ours, reason) => ours.session === 'error' && ours.why.includes(reason);

/** Whether a version is older than `[major, minor]`. */
export function isBefore(version, [major, minor]) {
  const [a, b] = version.split('.').map(Number);
  return a < major || (a === major && b < minor);
}

export const forbiddenIds = {
  name: 'session ids that could escape into keys, patterns or paths',
  explains: ({ theirs, ours }) =>
    ours.session === 'new' &&
    ours.why.includes('forbidden character') &&
    theirs.asked !== null &&
    /[\p{Cc}*]|\.\.\//u.test(theirs.asked),
};

export const emptySecrets = {
  name: 'empty secrets',
  explains: ({ testCase, ours }) => ours.session === 'refused' && testCase.secrets.includes(''),
};

/** Ours checks no further, so it may be no session at all. */
const mayBeNone = ({ session }) => session === 'found' || session === 'new';

export const deepRecords = {
  name: 'records deeper than 64',
  explains: ({ theirs, ours }) => mayBeNone(theirs) && isCorrupt(ours, 'nests deeper'),
};

export const largeRecords = {
  name: 'records larger than 1 MiB',
  explains: ({ testCase, theirs, ours }) =>
    mayBeNone(theirs) && isCorrupt(ours, 'more than the limit') && testCase.payload.length > 1024 * 1024,
};

export const unholdableUsers = {
  name: 'lone surrogates and infinite numbers in the user key',
  explains: ({ theirs, ours }) =>
    theirs.session === 'found' && isCorrupt(ours, 'not JSON') && hasUnholdable(theirs.user),
};

const quoted = (name) => `\`${name}\``;

/** `read` are the members that ours reads. */
export const unholdableBeside = (...read) => ({
  name: `lone surrogates and infinite numbers beside it, in ${read.map(quoted).join(' or ')}`,
  explains: ({ theirs, ours }) =>
    theirs.session === 'found' &&
    isCorrupt(ours, 'not JSON') &&
    !hasUnholdable(theirs.user) &&
    hasUnholdableIn(read, theirs.json),
});

export const keptDigits = {
  name: 'integers beyond 2^53 keep their digits',
  explains: ({ ours, differs }) => ours.keeps_digits && differs === 'digits',
};

/** In a member that is read: in its value, or in a duplicate key's, which `JSON.parse` has forgotten. */
function hasUnholdableIn(read, json) {
  const members = Object.entries(JSON.parse(json) ?? {});
  const isRead = ([name]) => read.includes(name);
  if (members.some((member) => isRead(member) && hasUnholdable(member[1]))) return true;
  const elsewhere = members.filter((member) => !isRead(member));
  return UNHOLDABLE_LITERAL.test(json) && !hasUnholdable(Object.fromEntries(elsewhere));
}

const HIGH = String.raw`\\u[dD][89abAB][\da-fA-F]{2}`;
const LOW = String.raw`\\u[dD][c-fC-F][\da-fA-F]{2}`;
const UNHOLDABLE_LITERAL = new RegExp(`${HIGH}(?!${LOW})|(?<!${HIGH})${LOW}|\\d[eE]\\+?\\d{3}`);

function hasUnholdable(value) {
  if (typeof value === 'string') return !value.isWellFormed();
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, member]) => !key.isWellFormed() || hasUnholdable(member));
}
