import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { House } from '../lib/house.mjs';
import { record } from '../lib/records.mjs';
import { unless } from '../lib/requirements.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startDemo } from '../lib/servers.mjs';
import { Browser, connected, parts, screenshot, sees, seesHere } from './browser.mjs';

describe("the page of a demo on the store of an Express app", { skip: unless('demo', 'chromium') }, () => {
  let browser;
  let demo;
  let house;

  before(async () => {
    house = await House.onSqlite();
    demo = await house.open(startDemo);
    browser = await Browser.launch();
  });
  afterEach(() => browser.goHome());
  after(async () => {
    await browser?.close();
    await house?.close();
  });

  test('a guest reads so, and how to log in', async () => {
    const page = await (await browser.person(demo)).tab();
    await sees(page.getByText('You are a guest.'));
    await sees(page.getByText('No login of your app came with the cookies for 127.0.0.1.'));
    await screenshot(page, 'foreign-guest');
  });

  test('a user that the app has logged in is known by their key', async () => {
    const { value } = await house.login('ann');
    const ann = await browser.person(demo, { colorScheme: 'dark' });
    await ann.addCookie(house.cookieName, value);
    const page = await ann.tab();
    await sees(page.getByText('You are user 42'));
    await seesHere(page, '42 1 tab, you');
    await screenshot(page, 'foreign-member');
  });
});

describe('a page whose connection its server closes, or refuses for a while', { skip: unless('demo', 'chromium', 'redis') }, () => {
  let browser;
  let demo;
  let house;

  before(async () => {
    house = await House.onRedis({ durable: true });
    demo = await house.open(startDemo);
    browser = await Browser.launch();
  });
  afterEach(() => browser.goHome());
  after(async () => {
    await browser?.close();
    await house?.close();
  });

  async function visitor() {
    const ann = await house.login('ann');
    const person = await browser.person(demo);
    await person.addCookie(house.cookieName, ann.value);
    return { person, key: `sess:${ann.sid}` };
  }

  /** The connections that the page opens from now on. */
  function connectionsOf(page) {
    const opened = [];
    page.on('websocket', (socket) => opened.push(socket));
    return opened;
  }

  test('another user in its session: it reconnects once, as that user', async () => {
    const { person, key } = await visitor();
    const page = await person.tab();
    await sees(page.getByText('You are user 42'));
    const opened = connectionsOf(page);
    await house.redis.command('SET', key, record({ passport: { user: 7 } }));
    await sees(page.getByText('You are user 7'));
    await sees(page.locator('#known-code', { hasText: 'user_changed (reconnect: true)' }));
    await seesHere(page, '7 1 tab, you');
    assert.equal(opened.length, 1);
  });

  test('a logout: it continues as a guest, over one other connection', async () => {
    const { person, key } = await visitor();
    const page = await person.tab();
    await sees(page.getByText('You are user 42'));
    const opened = connectionsOf(page);
    const states = await page.evaluateHandle(() => {
      const seen = [];
      const look = () => seen.push(document.body.dataset.connection);
      new MutationObserver(look).observe(document.body, { attributeFilter: ['data-connection'] });
      return seen;
    });
    await house.redis.command('DEL', key);
    await sees(page.locator('#known-code', { hasText: 'logged_out (reconnect: false)' }));
    await sees(page.locator('#known-user', { hasText: 'null, a guest' }));
    await connected(page);
    // The page itself has closed the connection: nothing was lost.
    assert.deepEqual(await states.jsonValue(), ['connecting', 'connecting', 'open']);
    assert.equal(opened.length, 1);
  });

  test('a store that is away: it waits, and connects by itself', async () => {
    const { person } = await visitor();
    await house.redis.kill();
    const page = await person.blankTab();
    await page.goto(demo.url);
    await sees(parts(page).state.getByText('Connection lost, trying again…'));
    await house.redis.restart();
    await page.getByText('You are user 42').waitFor({ timeout: 20_000 });
    // The browser itself reports the status. Nothing else may be wrong.
    const [refusal, ...others] = new Set(person.trouble.map((line) => line.replace(/^.* failed: /, '')));
    assert.match(refusal, /Unexpected response code: 503$/);
    assert.deepEqual(others, []);
    person.trouble = [];
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
