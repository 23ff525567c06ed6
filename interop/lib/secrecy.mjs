import assert from 'node:assert/strict';
import { parseCookie } from 'cookie';

// Shorter values would be found in innocent text.
const SHORTEST = 16;

const secrets = new Set();
const servers = [];

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

/** From now on this server's output is part of `assertNothingLeaked`. */
export function watchForLeaks(server) {
  servers.push(server);
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
