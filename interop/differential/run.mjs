import { difference, explanation } from './compare.mjs';
import { Random } from './random.mjs';
import { shrunk } from './shrink.mjs';

const BATCH = 250;
/** The first few show what is wrong; more add nothing. */
const ENOUGH = 5;

/**
 * Puts `cases` cases of one kind to the real packages and to ours. Gives what it counted, and what it found
 * wrong.
 */
export async function run(kind, ours, { cases, seed, first = 0, progress = () => {} }) {
  const [newest, ...older] = kind.combinations();
  const report = {
    ends: new Map(),
    rules: new Map(kind.rules.map((rule) => [rule.name, 0])),
    combinations: [newest, ...older].map(({ versions }) => ({ versions, cases: 0 })),
    wrong: [],
  };

  /** What explains how a case ends with these packages, once ours has answered. Undefined: it is wrong. */
  const judge = async (testCase, combination, ourEnd, newestEnd) => {
    const theirs = combination === newest ? newestEnd : await combination.end(testCase);
    const { versions } = combination;
    return explanation(kind.rules, { testCase, versions, theirs, newest: newestEnd, ours: ourEnd });
  };

  const check = async (index, testCase, ourEnd) => {
    const newestEnd = await newest.end(testCase);
    count(report.ends, describe(newestEnd));
    const turn = index % Math.max(older.length, 1);
    for (const combination of [newest, ...older.slice(turn, turn + 1)]) {
      report.combinations[combination === newest ? 0 : turn + 1].cases++;
      const rule = await judge(testCase, combination, ourEnd, newestEnd);
      if (rule) count(report.rules, rule.name);
      if (rule === undefined) {
        report.wrong.push(await explain(index, testCase, combination));
        return;
      }
    }
  };

  const explain = async (index, testCase, combination) => {
    const stayWrong = async (candidates) => {
      const answers = await ours.ask(candidates);
      const wrong = [];
      // One after the other: a case may set the clock.
      for (const [at, candidate] of candidates.entries()) {
        const rule = await judge(candidate, combination, answers[at], await newest.end(candidate));
        wrong.push(rule === undefined);
      }
      return wrong;
    };
    const minimal = await shrunk(testCase, stayWrong, kind.smaller);
    const [ourEnd] = await ours.ask([minimal]);
    const theirs = await combination.end(minimal);
    const { versions } = combination;
    return { index, versions, differs: difference(theirs, ourEnd), minimal, theirs, ours: ourEnd };
  };

  let asked;
  for (let at = 0; at < cases && report.wrong.length < ENOUGH; at += BATCH) {
    asked ??= batch(kind, ours, seed, first + at, first + cases);
    const { testCases, answers } = asked;
    // Ours works on the next batch while the packages work on this one.
    asked = batch(kind, ours, seed, first + at + BATCH, first + cases);
    const ourEnds = await answers;
    for (const [offset, testCase] of testCases.entries()) {
      if (report.wrong.length < ENOUGH) await check(first + at + offset, testCase, ourEnds[offset]);
    }
    progress(Math.min(at + BATCH, cases));
  }
  await asked?.answers;
  return report;
}

function batch(kind, ours, seed, from, end) {
  const testCases = [];
  for (let index = from; index < Math.min(from + BATCH, end); index++) {
    testCases.push(kind.generate(new Random(seed, index)));
  }
  return { testCases, answers: ours.ask(testCases) };
}

const count = (counts, name) => counts.set(name, (counts.get(name) ?? 0) + 1);

/** The ways in which a request can end, and in which the cases should end in good numbers. */
function describe({ asked, session, user }) {
  if (session === 'found') return user === undefined ? 'no login' : 'logged in';
  return `${session === 'new' ? 'no session' : session}, ${asked === null ? 'without' : 'after'} asking the store`;
}
