// Express + express-session + a Passport of your choice, in a process of its own.
//
//   node app/passports/main.mjs --passport passport-0.2 --store redis://127.0.0.1:6379/ --secret 'keyboard cat'
//
// `--passport` is a package's name in package.json.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { serve } from '../serve.mjs';
import { openStore } from '../stores/open.mjs';
import { createApp } from './app.mjs';

const { values: options } = parseArgs({
  options: {
    passport: { type: 'string', default: 'passport' },
    store: { type: 'string' },
    secret: { type: 'string', multiple: true },
    port: { type: 'string', default: '0' },
  },
});
if (!options.store || !options.secret) throw new Error('--store and --secret are needed');

const require = createRequire(import.meta.url);
const { version } = require(`${options.passport}/package.json`);
const { Passport } = require(options.passport);
const { store, close } = await openStore(options.store);
await serve(createApp({ Passport, version, store, secrets: options.secret }), { port: options.port, close });
