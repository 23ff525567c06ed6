import { isDeepStrictEqual } from 'node:util';

/**
 * In what two ends differ, in one word, or null. `why` is not compared: no contract fixes an error's text.
 */
export function difference(theirs, ours) {
  if (theirs.session !== ours.session) return 'session';
  if (theirs.asked !== ours.asked) return 'session id';
  if (theirs.session !== 'found') return null;
  if (theirs.json !== ours.json) return 'json';
  if ('user' in theirs !== 'user' in ours) return 'logged in';
  if (!isDeepStrictEqual(theirs.user, ours.user)) return 'user';
  // Both were read as doubles here, but Rust holds another integer.
  return ours.keeps_digits ? 'digits' : null;
}

/**
 * The rule that explains a difference, undefined if none does, or null where there is none. `newest` is how it
 * ends with the newest packages: what concerns older ones only must leave nothing to explain there.
 */
export function explanation(rules, { testCase, versions, theirs, newest, ours }) {
  const explains = (rule, end) => rule.explains({ testCase, theirs: end, ours, differs: difference(end, ours) });
  const always = rules.filter((rule) => rule.concerns === undefined);
  const explainedAlways = (end) => difference(end, ours) !== null && always.find((rule) => explains(rule, end));

  if (difference(theirs, ours) === null) return null;
  const rule = explainedAlways(theirs);
  if (rule !== undefined) return rule;
  if (explainedAlways(newest) === undefined) return undefined;
  return rules.find((rule) => rule.concerns?.(versions) && explains(rule, theirs));
}
