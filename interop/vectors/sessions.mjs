/** Vectors of whole sessions: an app of the real packages answers over HTTP which user a cookie has. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { send } from '../lib/http.mjs';
import { START, stopClock } from './clock.mjs';
import { OneRecord } from './one-record.mjs';

/** The path at which every app logs in this user. */
export const login = (user) => `/login?user=${encodeURIComponent(JSON.stringify(user))}`;

/**
 * What a browser's requests to the app, one after the other, leave behind: the `cookies` that it sends from
 * then on, and the `stored` record.
 */
export async function leftBy(createApp, app, ...paths) {
  stopClock();
  const record = new OneRecord();
  const listener = await createApp(app, record);
  let cookies;
  for (const path of paths) cookies = (await visit(listener, path, cookies)) || cookies;
  return { cookies, stored: record.text };
}

/** The cookies that this visit sets, as the browser would send them. */
async function visit(listener, path, cookies) {
  const { status, headers } = await get(listener, path, cookies);
  if (status !== 200) throw new Error(`${path}: ${status}`);
  return (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ');
}

/**
 * The vectors of these cases, each with what the app answered. A case is
 * `{name, app, cookies, stored, at, session}`, where `session` is what its name promises: the packages must
 * agree.
 */
export async function answered(createApp, cases) {
  const vectors = [];
  for (const { session, at = START, ...given } of cases) {
    const expected = await answer(createApp, { ...given, at });
    if (expected.session !== session) throw new Error(`${given.name}: ${JSON.stringify(expected)}`);
    vectors.push({ ...given, at, expected });
  }
  return vectors;
}

/** What the app makes of a request: what the store was asked for, if there is a session, and whose it is. */
async function answer(createApp, { app, cookies, stored, at }) {
  stopClock(at);
  const record = new OneRecord(stored);
  const { status, body } = await get(await createApp(app, record), '/', cookies);
  const asked = record.asked ?? undefined;
  if (status !== 200) return { asked, session: 'error' };
  const { isNew, user } = JSON.parse(body);
  if (isNew && user !== undefined) throw new Error('a user without a session');
  return { asked, session: isNew ? 'new' : 'found', user };
}

async function get(listener, path, cookies) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const headers = cookies === undefined ? {} : { cookie: cookies };
    return await send(`http://127.0.0.1:${server.address().port}${path}`, { headers });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
