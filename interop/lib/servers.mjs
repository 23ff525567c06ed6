import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { launch } from './children.mjs';
import { demoBinary, readmePortBinary, transportsBinary } from './requirements.mjs';
import { keepCookiesSecret, keepPasswordOf, keepSecret, watchForLeaks } from './secrecy.mjs';
import { Visitor } from './visitor.mjs';

const LISTENING = { ready: /^listening on (http:\/\/\S+)$/m };
// The most verbose setting: even this must show no secret.
const LOUDEST = 'trace';
// The example does not limit what its dependencies print.
const OUR_LOUDEST = 'info,passport_socketio=trace,express_session=trace';
const APP = fileURLToPath(new URL('../app/main.mjs', import.meta.url));
const APP_OF_KIND = fileURLToPath(new URL('../app/kinds/main.mjs', import.meta.url));
const APP_ON_PASSPORT = fileURLToPath(new URL('../app/passports/main.mjs', import.meta.url));

const logging = (level) => ({ RUST_LOG: level, NO_COLOR: '1' });
const each = (option, values) => values.flatMap((value) => [option, value]);
const maybe = (option, value) => (value === undefined ? [] : [option, `${value}`]);

/** The Express + Passport app. */
export async function startApp({ store, secrets, cookieName, maxAge }) {
  const args = [APP, '--store', store, ...each('--secret', secrets), '--cookie-name', cookieName];
  args.push(...maybe('--max-age', maxAge));
  return reachable(await launch('the Express app', process.execPath, args, LISTENING), cookieName);
}

/** The app of another kind of sessions; `cookieName` is the usual one of its kind. */
export async function startAppOfKind({ kind, store, secrets, cookieName, maxAge, behind, args = [] }) {
  const options = ['--kind', kind, ...each('--secret', secrets), ...maybe('--store', store), ...args];
  options.push(...maybe('--max-age', maxAge), ...maybe('--behind', behind));
  const app = await launch(`the ${kind} app`, process.execPath, [APP_OF_KIND, ...options], LISTENING);
  return reachable(app, cookieName);
}

/** The app on the Passport of this package name. */
export async function startAppOnPassport({ passport, store, secrets, cookieName }) {
  const args = [APP_ON_PASSPORT, '--passport', passport, '--store', store, ...each('--secret', secrets)];
  return reachable(await launch(`the app on ${passport}`, process.execPath, args, LISTENING), cookieName);
}

function reachable(app, cookieName) {
  const url = app.match[1];
  return {
    ...app,
    url,
    visitor: () => new Visitor({ url, cookieName }),

    /** The app's own answer to a Cookie header. */
    async me(cookie) {
      keepCookiesSecret(cookie ?? '');
      const response = await fetch(new URL('/me', url), { headers: cookie ? { cookie } : {} });
      return { status: response.status, ...(await response.json()) };
    },

    /** What the app's store has under this id: the session, or null. The app is not asked, nothing is touched. */
    async stored(sid) {
      const response = await fetch(new URL(`/stored?sid=${encodeURIComponent(sid)}`, url));
      assert.equal(response.status, 200, `the app's store has an answer`);
      return (await response.json()).stored;
    },
  };
}

/** `passport-socketio demo` on an app's store. */
export async function startDemo({ store, secrets, cookieName, log = LOUDEST, args = [] }) {
  keepPasswordOf(store);
  const options = [...maybe('--store', store), ...each('--secret', secrets)];
  options.push(...maybe('--cookie-name', cookieName), ...args);
  return underTest(
    secrets,
    await launch('the demo', demoBinary, ['demo', '--listen', '127.0.0.1:0', ...options], {
      ...LISTENING,
      env: logging(log),
    }),
  );
}

/** `passport-socketio demo` with users and sessions of its own, in the folder `cwd`. */
export async function startOwnDemo({ cwd, listen = '127.0.0.1:0', args = [] }) {
  const options = ['demo', '--listen', listen, ...args];
  const env = logging(LOUDEST);
  return underTest([], await launch('the demo', demoBinary, options, { ...LISTENING, env, cwd }));
}

/** The example that ports the original's README. */
export async function startReadmePort({ store, secrets: [secret] }) {
  return underTest(
    [secret],
    await launch('readme_port', readmePortBinary, [], {
      ...LISTENING,
      env: { ...logging(OUR_LOUDEST), REDIS_URL: store, SESSION_SECRET: secret, LISTEN: '127.0.0.1:0' },
    }),
  );
}

/** The example with `layer_over` (`over`), with `layer` (`plain`), or with no layer (`none`). */
export async function startTransports({ store, secrets: [secret], layer = 'over', options = '', origin }) {
  const env = { ...logging(OUR_LOUDEST), REDIS_URL: store, SESSION_SECRET: secret, LAYER: layer, OPTIONS: options };
  if (origin) env.ORIGIN = origin;
  return underTest([secret], await launch('transports', transportsBinary, [], { ...LISTENING, env }));
}

function underTest(secrets, child) {
  const server = { ...child, url: child.match[1], log: child.stderr };
  secrets.forEach(keepSecret);
  watchForLeaks(server);
  return server;
}
