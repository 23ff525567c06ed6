/**
 * The same cases for the real npm packages and for our code:
 *
 *   node differential/main.mjs [--kind express]... [--cases 20000] [--seed 1|random] [--first 0]
 */

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Ours } from './ours.mjs';
import { failures, print } from './report.mjs';
import { run } from './run.mjs';

// The packages' advice on options is not for us.
process.env.NO_DEPRECATION = '*';

/** A module in `kinds` each, and a `Case` in crates/testkit/examples/differential. */
const KINDS = [
  'express',
  'cookie-session',
  'koa',
  'koa-generic',
  'fastify',
  'fastify-secure',
];

const { values: options } = parseArgs({
  options: {
    kind: { type: 'string', multiple: true, default: KINDS },
    cases: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
  },
});

const cases = wholeNumber('cases', options.cases);
const first = wholeNumber('first', options.first);
const seed = options.seed === 'random' ? randomInt(2 ** 32) : wholeNumber('seed', options.seed);
const unknown = options.kind.filter((kind) => !KINDS.includes(kind));
if (unknown.length > 0) stop(`no such kind: ${unknown.join(', ')}; there are ${KINDS.join(', ')}`);

const ours = await Ours.start();
try {
  for (const name of options.kind) {
    const kind = await import(`./kinds/${name}.mjs`);
    const started = process.hrtime.bigint();
    const report = await run(kind, ours, { cases, seed, first, progress });
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const failed = failures(report, { cases });
    print({ kind: name, cases, seed, seconds, report, failed });
    if (failed.length > 0) process.exitCode = 1;
  }
} finally {
  ours.stop();
}

function progress(done) {
  if (done % 100_000 === 0 && done < cases) console.log(`  ${done} cases`);
}

function wholeNumber(option, text) {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number >= 2 ** 32) stop(`--${option} takes a whole number`);
  return number;
}

function stop(message) {
  console.error(message);
  process.exit(2);
}
