import { inspect } from 'node:util';

/** Fewer cases can't be expected to reach every rule. */
const ENOUGH_FOR_EVERY_RULE = 20_000;
/** What a run must not fall below, in cases that end so: else it proves nothing about them. */
const LEAST_SHARES = { 'logged in': 0.25, 'no login': 0.03, 'no session, without asking the store': 0.1 };

/** What is wrong with a run, in words. */
export function failures(report, { cases }) {
  const failed = report.wrong.map(({ index, differs }) => `case ${index} differs (${differs})`);
  if (report.wrong.length > 0 || cases < ENOUGH_FOR_EVERY_RULE) return failed;
  for (const [rule, count] of report.rules) {
    if (count === 0) failed.push(`the rule "${rule}" explained nothing: is it still needed?`);
  }
  for (const [end, share] of Object.entries(LEAST_SHARES)) {
    if ((report.ends.get(end) ?? 0) < share * cases) failed.push(`too few cases end "${end}"`);
  }
  for (const { versions, cases } of report.combinations) {
    if (cases === 0) failed.push(`no case was put to ${named(versions)}`);
  }
  return failed;
}

export function print({ kind, cases, seed, seconds, report, failed }) {
  console.log(`\n${kind}: ${cases} cases, seed ${seed}, ${seconds.toFixed(1)} s`);
  table('Node ends with', report.ends, cases);
  table('deliberate differences', report.rules);
  console.log('  put to');
  for (const { versions, cases } of report.combinations) line(cases, named(versions));
  for (const wrong of report.wrong) printWrong(kind, seed, wrong);
  console.log(failed.length === 0 ? '  no other difference' : `  FAILED: ${failed.join('; ')}`);
}

function table(title, counts, whole) {
  console.log(`  ${title}`);
  for (const [name, count] of [...counts].sort(([, a], [, b]) => b - a)) {
    line(count, name + (whole ? ` (${((100 * count) / whole).toFixed(1)} %)` : ''));
  }
}

const line = (count, text) => console.log(`  ${String(count).padStart(9)}  ${text}`);

const named = (versions) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');

const SHOWN = { depth: null, breakLength: 100, maxStringLength: 2000 };

function printWrong(kind, seed, { index, versions, differs, minimal, theirs, ours }) {
  const show = (value) => inspect(value, SHOWN).replaceAll('\n', '\n    ');
  console.log(`\n  DIFFERENCE (${differs}) with ${named(versions)}`);
  console.log(`    again: npm run differential -- --kind ${kind} --seed ${seed} --first ${index} --cases 1`);
  console.log(`    smallest case: ${show({ ...minimal, payload: minimal.payload?.toString('latin1') ?? null })}`);
  console.log(`    Node: ${show(theirs)}`);
  console.log(`    ours: ${show(ours)}\n`);
}
