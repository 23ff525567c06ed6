import { join } from 'node:path';
import { scratchFolder } from '../lib/scratch.mjs';
import { storeSteps } from '../lib/store-steps.mjs';

const sqlite = ({ query = '', ...steps }) =>
  storeSteps({
    async start() {
      return { storeUrl: `sqlite:${join(await scratchFolder(), 'sessions.db')}${query}`, close: () => {} };
    },
    ...steps,
  });

// Both compare dates by SQLite's `datetime`, which has whole seconds.
const resolutionMs = 1_000;

sqlite({ name: 'connect-sqlite3' });
sqlite({ name: 'better-sqlite3-session-store', query: '?layout=better-sqlite3', resolutionMs });
sqlite({ name: 'connect-session-knex on SQLite', query: '?layout=knex', resolutionMs });
