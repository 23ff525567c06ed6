import { after, afterEach, before, describe, test } from 'node:test';
import { House } from '../lib/house.mjs';
import { unless } from '../lib/requirements.mjs';
import { startDemo } from '../lib/servers.mjs';
import { Browser, screenshot, sees, seesHere } from './browser.mjs';

describe("the page of a demo in an Express app's house", { skip: unless('demo', 'chromium') }, () => {
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

  test('a guest is told so, and how to change that', async () => {
    const page = await (await browser.person(demo)).tab();
    await sees(page.getByText('You are a guest.'));
    await sees(page.getByText('No login of your app came with the cookies for 127.0.0.1.'));
    await screenshot(page, 'foreign-guest');
  });

  test('whoever the app has logged in is known, by their key', async () => {
    const { value } = await house.login('ann');
    const ann = await browser.person(demo, { colorScheme: 'dark' });
    await ann.addCookie(house.cookieName, value);
    const page = await ann.tab();
    await sees(page.getByText('You are user 42'));
    await seesHere(page, '42 1 tab, you');
    await screenshot(page, 'foreign-member');
  });
});
