import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startOwnDemo } from '../lib/servers.mjs';
import { Browser, chatting, connected, parts, say, sees, seesHere, stampOf } from './browser.mjs';

/** The page says what has happened, takes no more messages, and offers the login. */
async function seesItsEnd(page) {
  const { notice, text, send, logInAs } = parts(page);
  await sees(notice.getByRole('heading', { name: 'You were logged out in another window.' }));
  assert.ok(await text.isDisabled());
  assert.ok(await send.isDisabled());
  for (const name of ['Ann', 'Bob', 'Zoë']) assert.ok(await logInAs(name).isVisible(), name);
}

describe('logging out', { skip: unless('demo', 'chromium') }, () => {
  let browser;
  let demo;

  before(async () => {
    demo = await startOwnDemo({ cwd: await scratchFolder() });
    browser = await Browser.launch();
  });
  afterEach(() => browser.goHome());
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  test('in one window ends the login in the other at once, without a reload', async () => {
    const ann = await browser.person(demo);
    const page = await ann.logIn('Ann');
    const other = await ann.tab();
    await say(page, 'Anybody?');
    await stampOf(page, 'Anybody?');
    await page.evaluate(() => (globalThis.sameDocument = true));

    await parts(other).logOut.click();
    await seesItsEnd(page);
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
    assert.equal(await stampOf(page, 'Anybody?'), 'ANN № 42');
    await sees(page.locator('#known-code', { hasText: 'logged_out (reconnect: false)' }));
    await seesHere(page);
    await sees(parts(page).here.getByText('2 guests.'));
  });

  test('the window that logs out only shows the login', async () => {
    const page = await (await browser.person(demo)).logIn('Ann');
    await parts(page).logOut.click();
    await sees(parts(page).logInAs('Ann'));
    assert.equal(await parts(page).notice.isVisible(), false);
  });

  test('moves the focus from the chat to the notice, and the login is next', async () => {
    const ann = await browser.person(demo);
    const page = await ann.logIn('Ann');
    await parts(page).text.focus();
    await parts(await ann.tab()).logOut.click();
    await seesItsEnd(page);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'notice');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.value), '42');
  });

  test('a user logged out elsewhere can log in again as another user', async () => {
    const person = await browser.person(demo);
    const page = await person.logIn('Ann');
    await parts(await person.tab()).logOut.click();
    await seesItsEnd(page);
    await person.logIn('Bob', page);
    await seesHere(page, 'Bob № 7 1 tab, you');
    assert.equal(await parts(page).notice.isVisible(), false);
  });

  test('a login in one tab connects the other tab again', async () => {
    const person = await browser.person(demo);
    const page = await person.logIn('Ann');
    const other = await person.tab();
    await parts(other).logOut.click();
    await seesItsEnd(page);
    await connected(other);
    await person.logIn('Zoë', other);
    await sees(parts(page).notice.getByRole('heading', { name: 'You are Zoë.' }));
    await chatting(page);
    await say(page, 'and back');
    assert.equal(await stampOf(page, 'and back'), 'ZOË № 0');
  });

  test('everywhere ends all sessions of that user, and no others', async () => {
    const atHome = await (await browser.person(demo)).logIn('Ann');
    const atWork = await (await browser.person(demo)).logIn('Ann');
    const bob = await (await browser.person(demo)).logIn('Bob');
    await parts(atHome).logOutEverywhere.click();
    await seesItsEnd(atWork);
    await seesHere(bob, 'Bob № 7 1 tab, you');
    await say(bob, 'I am still here');
    assert.equal(await stampOf(bob, 'I am still here'), 'BOB № 7');
    await atWork.reload();
    await connected(atWork);
    assert.equal(await parts(atWork).log.isVisible(), false);
  });

  test('in one browser leaves the same user in another', async () => {
    const atHome = await (await browser.person(demo)).logIn('Ann');
    const atWork = await (await browser.person(demo)).logIn('Ann');
    await parts(atHome).logOut.click();
    await seesHere(atWork, 'Ann № 42 1 tab, you');
    assert.equal(await parts(atWork).notice.isVisible(), false);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});
