/** Fastify's plugins without a server: their own hooks, one after the other, on requests of ours. */

import { createRequire } from 'node:module';
import { request } from './request.mjs';

const { Authenticator } = createRequire(import.meta.url)('@fastify/passport');

const SILENT = { trace() {}, debug() {} };

/** What Fastify offers to plugins, as far as cookies and sessions use it. */
export class Host {
  log = SILENT;
  #hooks = [];
  #plugins = new Set();

  register(plugin, options) {
    plugin(this, options, (error) => {
      if (error) throw error;
    });
    this.#plugins.add(plugin[Symbol.for('plugin-meta')]?.name);
    return this;
  }

  hasPlugin(name) {
    return this.#plugins.has(name);
  }

  decorate(name, value) {
    this[name] = value;
  }

  decorateRequest() {}

  decorateReply() {}

  addHook(name, hook) {
    if (name === 'onRequest') this.#hooks.push(hook);
  }

  /** What the hooks make of a request with these `Cookie` headers: `{req}` or `{error}`. */
  receive(headers) {
    const req = { raw: request(headers), log: SILENT, protocol: 'http', passport };
    const reply = { server: this, request: req };
    for (const hook of this.#hooks) {
      const error = failureOf((done) => hook(req, reply, done));
      if (error) return { error };
    }
    return { req };
  }
}

/** Whether a hook throws or passes on an error: to Fastify it is the same. Everything is synchronous here. */
function failureOf(hook) {
  const ends = [];
  try {
    hook((error) => ends.push(error));
  } catch (thrown) {
    return thrown;
  }
  if (ends.length !== 1) throw new Error('the hook did not go on');
  return ends[0];
}

const passport = new Authenticator();
const SessionStrategy = passport.strategy('session').constructor;

/** The user key that @fastify/passport gives the app's deserializer, with this session: `{user}`, or nothing. */
export function userOf(req) {
  let found = {};
  const strategy = new SessionStrategy({}, (user) => {
    found = { user };
    return UNANSWERED;
  });
  strategy.pass = () => {};
  strategy.authenticate(req);
  return found;
}

const UNANSWERED = { catch: () => UNANSWERED, then() {} };
