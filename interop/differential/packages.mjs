/**
 * The real packages, with their own dependencies, or with others than npm would install: `{dependency:
 * package}`, or `{dependency: [package, {its dependency: package}]}`.
 */

import Module, { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';

const require = createRequire(import.meta.url);

/** A package `name`, freshly loaded, whose dependencies are exchanged for these. */
export function load(name, replacements = {}) {
  const root = dirname(require.resolve(`${name}/package.json`));
  const within = createRequire(join(root, 'package.json'));
  const cached = { ...require.cache };
  forget((path) => path.startsWith(root + sep));
  for (const [dependency, replacement] of Object.entries(replacements)) {
    const path = within.resolve(dependency);
    const standIn = new Module(path);
    standIn.exports = Array.isArray(replacement) ? load(...replacement) : require(replacement);
    standIn.loaded = true;
    require.cache[path] = standIn;
  }
  try {
    return within('.');
  } finally {
    forget(() => true);
    Object.assign(require.cache, cached);
  }
}

function forget(isMeant) {
  for (const path of Object.keys(require.cache).filter(isMeant)) delete require.cache[path];
}

/** `{package: version}` of what `load` with the same arguments gives. */
export function versions(name, replacements = {}, dependencies = Object.keys(replacements)) {
  const within = createRequire(require.resolve(`${name}/package.json`));
  const found = { [originalName(name)]: versionIn(require.resolve(`${name}/package.json`)) };
  for (const dependency of dependencies) {
    const replacement = replacements[dependency];
    if (Array.isArray(replacement)) Object.assign(found, versions(...replacement));
    else found[dependency] = versionIn(replacement ? require.resolve(replacement) : within.resolve(dependency));
  }
  return found;
}

const originalName = (alias) => require(`${alias}/package.json`).name;

/** The version of the package that the file `path` belongs to: not every package lets its package.json be required. */
function versionIn(path) {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const { version } = require(join(folder, 'package.json'));
      if (version) return version;
    } catch {
      if (folder === dirname(folder)) throw new Error(`no package.json above a file of ${path.split(sep).at(-2)}`);
    }
  }
}
