import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { startTransports } from '../lib/servers.mjs';
import { Browser } from './browser.mjs';

/** A site of its own origin, with an empty page. */
async function openSite() {
  const site = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>A page</title><link rel="icon" href="data:,">');
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  return { url: `http://127.0.0.1:${site.address().port}`, close: () => site.close() };
}

describe('what a page may read of a refusal', { skip: unless('transports', 'redis', 'chromium') }, () => {
  let browser;
  let house;
  let friend;
  let stranger;
  let server;

  before(async () => {
    [house, friend, stranger] = await Promise.all([House.onRedis(), openSite(), openSite()]);
    server = await house.open(startTransports, { origin: friend.url, options: 'refuse-at-http' });
    browser = await Browser.launch();
  });
  after(async () => {
    await browser?.close();
    friend?.close();
    stranger?.close();
    await house?.close();
  });

  /** A page of the site, and what it can read of the server's answer. */
  async function visit(site) {
    const person = await browser.person(site);
    const page = await person.blankTab();
    await page.goto(site.url);
    const ask = (query, options) =>
      page.evaluate(
        async ([url, settings]) => {
          try {
            const answer = await fetch(url, { credentials: 'include', ...settings });
            return { status: answer.status, body: await answer.text() };
          } catch (error) {
            return { error: error.name };
          }
        },
        [`${server.url}/socket.io/?EIO=4&transport=polling${query}`, options ?? {}],
      );
    return { person, page, ask };
  }

  test('a page of an allowed origin reads the code', async () => {
    const { ask } = await visit(friend);
    assert.deepEqual(await ask(''), { status: 401, body: '{"code":"unauthorized"}' });
  });

  test('it also reads the code of another connection, after a preflight', async () => {
    const { person, page, ask } = await visit(friend);
    const { value } = await house.login('ann');
    await person.addCookie(house.cookieName, value);
    const opened = await ask('');
    assert.equal(opened.status, 200);
    const { sid } = JSON.parse(opened.body.slice(1));
    await page.context().clearCookies();
    const post = { method: 'POST', headers: { 'content-type': 'text/x-own' }, body: '1' };
    assert.deepEqual(await ask(`&sid=${sid}`, post), { status: 403, body: '{"code":"forbidden"}' });
    await person.addCookie(house.cookieName, value);
    assert.equal((await ask(`&sid=${sid}`, { ...post, body: '40' })).status, 200);
  });

  test('a page of any other origin reads nothing, logged in or not', async () => {
    const { person, ask } = await visit(stranger);
    assert.deepEqual(await ask(''), { error: 'TypeError' });
    await person.addCookie(house.cookieName, (await house.login('ann')).value);
    assert.deepEqual(await ask(''), { error: 'TypeError' });
  });
});
