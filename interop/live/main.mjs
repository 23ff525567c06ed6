/**
 * Long runs with live sessions, each a script at the root of the repository:
 *
 *   node live/main.mjs fleet [--nodes 3] [--sockets 1000]
 *   node live/main.mjs outages [--sessions 60]
 *   node live/main.mjs churn [--cycles 10000]
 */

import { parseArgs } from 'node:util';
import { churn } from './churn.mjs';
import { fleet } from './fleet.mjs';
import { printTable } from './numbers.mjs';
import { outages } from './outages.mjs';

const MAX_STALE_MS = 5_000;

const RUNS = {
  async fleet({ nodes = 3, sockets = 1000 }) {
    const rows = [];
    for (const told of [true, false]) {
      rows.push(...(await fleet({ nodes, sockets, told, maxStale: MAX_STALE_MS, progress })));
    }
    console.log(`\nms from the logout's click to the client's disconnect (max_stale ${MAX_STALE_MS} ms)\n`);
    printTable(rows);
  },

  async outages({ sessions = 60 }) {
    const rows = await outages({ sessions, progress });
    console.log("\nms from the store's recovery, or the logout, to the client's disconnect\n");
    printTable(rows);
  },

  async churn({ cycles = 10_000 }) {
    const row = await churn({ cycles, progress });
    console.log('\neach socket was of its own user\n');
    printTable([row]);
  },
};

const [run, ...args] = process.argv.slice(2);
if (!Object.hasOwn(RUNS, run)) stop(`usage: live/main.mjs ${Object.keys(RUNS).join('|')} [--option number]`);
const number = { type: 'string' };
const options = { fleet: { nodes: number, sockets: number }, outages: { sessions: number }, churn: { cycles: number } };
const { values } = parseArgs({ args, options: options[run] });
await RUNS[run](Object.fromEntries(Object.entries(values).map(([name, text]) => [name, wholeNumber(name, text)])));
console.log('\nall promises kept');
// What has failed to close must not keep this process alive.
process.exit(0);

function progress(what) {
  console.log(`  ${Math.round(performance.now() / 1000)} s: ${what}`);
}

function wholeNumber(option, text) {
  if (!/^[1-9]\d{0,6}$/.test(text)) stop(`--${option} takes a whole number`);
  return Number(text);
}

function stop(message) {
  console.error(message);
  process.exit(2);
}
