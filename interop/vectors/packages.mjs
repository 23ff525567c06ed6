import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** `require`, as the package `name` itself calls it: for what it depends on. */
export const requireOf = (name) => createRequire(require.resolve(`${name}/package.json`));

/** What all versions of a package gave alike. */
export function agreed(answers, what) {
  if (new Set(answers).size !== 1) throw new Error(`${what}: versions differ`);
  return answers[0];
}
