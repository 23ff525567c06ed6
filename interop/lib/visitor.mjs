import assert from 'node:assert/strict';
import { parseSetCookie, stringifyCookie } from 'cookie';
import { sidOf } from './cookies.mjs';
import { keepCookiesSecret } from './secrecy.mjs';

/** A visitor with a browser: fetches pages of the Express app and keeps its cookies. */
export class Visitor {
  #url;
  #cookieName;
  #jar = {};

  constructor({ url, cookieName }) {
    this.#url = url;
    this.#cookieName = cookieName;
  }

  /** What the browser would send: the header's value, names and values as they were set. */
  get cookie() {
    return stringifyCookie(this.#jar, { encode: (value) => value });
  }

  /** The session cookie's value, still encoded. */
  get value() {
    return this.#jar[this.#cookieName];
  }

  get sid() {
    return sidOf(this.value);
  }

  async login(username, password = `${username}-s password`) {
    const response = await this.#post('/login', new URLSearchParams({ username, password }));
    assert.equal(response.status, 200, `login of ${username}`);
    return this;
  }

  async logout() {
    assert.equal((await this.#post('/logout')).status, 204, 'logout');
    return this;
  }

  /** Something as JSON, which the app takes. */
  async post(path, content) {
    const headers = { 'content-type': 'application/json' };
    const response = await this.request(path, { method: 'POST', headers, body: JSON.stringify(content) });
    assert.ok(response.ok, `POST ${path}: ${response.status}`);
    return this;
  }

  async visit() {
    assert.equal((await this.request('/visit')).status, 200, 'visit');
    return this;
  }

  #post(path, body) {
    return this.request(path, { method: 'POST', body });
  }

  /** Any request to the app, with the cookies that the visitor has; those of the answer are kept. */
  async request(path, { headers, ...options } = {}) {
    const response = await fetch(new URL(path, this.#url), {
      ...options,
      redirect: 'manual',
      headers: { ...headers, cookie: this.cookie },
    });
    await response.arrayBuffer();
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  #keep(line) {
    const { name, value, expires, maxAge } = parseSetCookie(line, { decode: (raw) => raw });
    const gone = maxAge <= 0 || expires <= Date.now();
    if (gone) delete this.#jar[name];
    else this.#jar[name] = value;
    keepCookiesSecret(this.cookie);
  }
}
