// An app with another session middleware than express-session, in a process of its own.
//
//   node app/kinds/main.mjs --kind cookie-session --secret key1 --secret key2
//   node app/kinds/main.mjs --kind koa --secret key
//   node app/kinds/main.mjs --kind koa --secret key --store redis://127.0.0.1:6379/
//   node app/kinds/main.mjs --kind fastify-secure --secret 'a secret of at least 32 bytes …' --salt mq9hDxBVDb…
//
// Each kind is one file beside this one. Its `createApp` gives what answers requests, and `close`.
import { parseArgs } from 'node:util';
import { serve } from '../serve.mjs';

const KINDS = ['cookie-session', 'koa', 'koa-generic', 'fastify', 'fastify-secure'];
const ONE_HOUR = 60 * 60 * 1000;

const { values: options } = parseArgs({
  options: {
    kind: { type: 'string' },
    store: { type: 'string' },
    secret: { type: 'string', multiple: true },
    salt: { type: 'string' },
    expiry: { type: 'string' },
    'max-age': { type: 'string', default: `${ONE_HOUR}` },
    // Seconds by which the app's clock is slow: what it writes is as old as that.
    behind: { type: 'string', default: '0' },
    port: { type: 'string', default: '0' },
  },
});
if (!KINDS.includes(options.kind)) throw new Error(`--kind wants one of ${KINDS.join(', ')}`);
if (!options.secret) throw new Error('--secret is needed');

const now = Date.now;
Date.now = () => now() - Number(options.behind) * 1000;

const { createApp } = await import(`./${options.kind}.mjs`);
const { listener, close } = await createApp({
  storeUrl: options.store,
  secrets: options.secret,
  salt: options.salt,
  expiry: options.expiry && Number(options.expiry),
  maxAge: Number(options['max-age']),
});
await serve(listener, { port: options.port, close });
