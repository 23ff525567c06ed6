import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { parseCookie } from 'cookie';

/**
 * What none of our programs may write: secrets, passwords, session ids, cookies, signatures. When a suite's
 * process ends, it searches all that our programs wrote, and fails if it finds one.
 */

// Shorter values would be found in ordinary text.
const SHORTEST = 16;

const secrets = new Set();
const servers = [];
const programs = [];

export function keepSecret(value) {
  if (value.length >= SHORTEST) secrets.add(value);
}

/** The values of a Cookie header, as sent and decoded, and the sid and the signature inside. */
export function keepCookiesSecret(header) {
  for (const pair of header.split(';')) keepSecret(pair.slice(pair.indexOf('=') + 1).trim());
  for (const value of Object.values(parseCookie(header))) {
    keepSecret(value);
    const bare = value.replace(/^s:/, '');
    const dot = bare.lastIndexOf('.');
    if (dot >= 0) [bare.slice(0, dot), bare.slice(dot + 1)].forEach(keepSecret);
  }
}

/** The password in a store's URL. */
export function keepPasswordOf(storeUrl = '') {
  const password = /^[a-z]+:\/\/[^/?#]*:([^/?#]*)@/.exec(storeUrl)?.[1];
  if (password) [password, decodeURIComponent(password)].forEach(keepSecret);
}

/** From now on this server's output is part of `assertNothingLeaked`. */
export function watchForLeaks(server) {
  servers.push(server);
}

/** What this program of ours has written is searched when this process ends: `written()` is all of it. */
export function searchAtTheEnd(name, written) {
  programs.push({ name, written });
}

/** No server under test has written a secret, a session id or a cookie of this file's tests. */
export function assertNothingLeaked() {
  assert.ok(secrets.size > 0 && servers.length > 0, 'the check has something to look for');
  for (const server of servers) {
    const output = server.stdout.since() + server.stderr.since();
    assert.match(output, /code="/, `${server.name} logged its decisions`);
    for (const secret of secrets) {
      assert.ok(!output.includes(secret), `${server.name} wrote ${JSON.stringify(secret)}:\n${output}`);
    }
  }
}

process.once('exit', () => {
  // The whole run's own output is searched by `scripts/test`.
  const { SECRETS_LEDGER } = process.env;
  if (SECRETS_LEDGER) appendFileSync(SECRETS_LEDGER, [...secrets].map((secret) => `${secret}\n`).join(''));
  for (const { name, written } of programs) {
    const lines = written().split('\n');
    const leaks = lines.filter((line) => [...secrets].some((secret) => line.includes(secret)));
    if (leaks.length === 0) continue;
    console.error(`${name} wrote a secret, a session id or a cookie:\n${leaks.join('\n')}`);
    process.exitCode = 1;
  }
});
