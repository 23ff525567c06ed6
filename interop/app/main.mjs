// The Node app of the suite: Express + express-session + Passport, in a process of its own.
//
//   node app/main.mjs --store redis://127.0.0.1:6379/ --secret 'keyboard cat'
//   node app/main.mjs --store sqlite:./sessions.db --secret new --secret old --cookie-name express.sid
import { parseArgs } from 'node:util';
import { createApp } from './app.mjs';
import { serve } from './serve.mjs';
import { openStore } from './stores/open.mjs';

const { values: options } = parseArgs({
  options: {
    store: { type: 'string' },
    secret: { type: 'string', multiple: true },
    'cookie-name': { type: 'string', default: 'connect.sid' },
    'max-age': { type: 'string', default: `${60 * 60 * 1000}` },
    port: { type: 'string', default: '0' },
  },
});
if (!options.store || !options.secret) throw new Error('--store and --secret are needed');

const { store, close } = await openStore(options.store);
const app = createApp({
  store,
  secrets: options.secret,
  cookieName: options['cookie-name'],
  maxAge: Number(options['max-age']),
});
await serve(app, { port: options.port, close });
