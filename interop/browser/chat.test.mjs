import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { assertNothingLeaked } from '../lib/secrecy.mjs';
import { startOwnDemo } from '../lib/servers.mjs';
import { Browser, chatting, connected, parts, say, sees, seesHere, stampOf } from './browser.mjs';

describe('the chat', { skip: unless('demo', 'chromium') }, () => {
  let browser;
  let cwd;
  let demo;

  before(async () => {
    cwd = await scratchFolder();
    demo = await startOwnDemo({ cwd });
    browser = await Browser.launch();
  });
  afterEach(() => browser.goHome());
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  test('two users in two windows: each message is stamped with its sender', async () => {
    const ann = await (await browser.person(demo)).logIn('Ann');
    const bob = await (await browser.person(demo)).logIn('Bob');
    await say(ann, 'Hello, Bob!');
    await say(bob, 'Hello, Ann!');
    for (const page of [ann, bob]) {
      assert.equal(await stampOf(page, 'Hello, Bob!'), 'ANN № 42');
      assert.equal(await stampOf(page, 'Hello, Ann!'), 'BOB № 7');
    }
  });

  test('the field is empty after a message was sent', async () => {
    const page = await (await browser.person(demo)).logIn('Zoë');
    await say(page, 'on its way');
    assert.equal(await stampOf(page, 'on its way'), 'ZOË № 0');
    await sees(page.locator('#text:placeholder-shown'));
  });

  test('the page lists users with their tabs, and guests', async () => {
    const ann = await browser.person(demo);
    const first = await ann.logIn('Ann');
    await seesHere(first, 'Ann № 42 1 tab, you');
    const second = await ann.tab();
    await seesHere(first, 'Ann № 42 2 tabs, you');
    await seesHere(second, 'Ann № 42 2 tabs, you');

    const guest = await (await browser.person(demo)).tab();
    await seesHere(guest, 'Ann № 42 2 tabs');
    await sees(parts(first).here.getByText('1 guest.'));

    await second.close();
    await seesHere(first, 'Ann № 42 1 tab, you');
    await seesHere(guest, 'Ann № 42 1 tab');
  });

  test('a reload keeps the login', async () => {
    const page = await (await browser.person(demo)).logIn('Zoë');
    await page.reload();
    await chatting(page);
    await seesHere(page, 'Zoë № 0 1 tab, you');
    await say(page, 'still me');
    assert.equal(await stampOf(page, 'still me'), 'ZOË № 0');
  });

  test('markup in a message is text', async () => {
    const markup = '<img src="/nowhere" onerror="document.title = 1"><b>bold</b> &amp; <script>0</script>';
    const ann = await (await browser.person(demo)).logIn('Ann');
    const bob = await (await browser.person(demo)).logIn('Bob');
    await say(ann, markup);
    assert.equal(await stampOf(bob, markup), 'ANN № 42');
    assert.equal(await bob.locator('#log :is(img, script, p b)').count(), 0);
  });

  test('a guest is offered the login, and not the chat', async () => {
    const page = await (await browser.person(demo)).tab();
    const { logInAs, log, logOut } = parts(page);
    for (const name of ['Ann', 'Bob', 'Zoë']) assert.ok(await logInAs(name).isVisible(), name);
    assert.equal(await log.isVisible(), false);
    assert.equal(await logOut.isVisible(), false);
  });

  test('the page shows what the server knows', async () => {
    const page = await (await browser.person(demo)).tab();
    const fact = (name, value) => sees(page.locator(`#known-${name}`, { hasText: value }));
    await fact('lobby', /^joined$/);
    await fact('members', /^refused: unauthorized$/);
    await fact('login', /^false$/);
    await parts(page).logInAs('Bob').click();
    await fact('members', /^joined$/);
    await fact('user', '{"id":7,"name":"Bob","gender":"male"}');
    await fact('login', /^true$/);
  });

  test("no secret, session id or cookie is in the server's output", assertNothingLeaked);
});

test('when the server restarts, the page comes back by itself', { skip: unless('demo', 'chromium') }, async () => {
  const cwd = await scratchFolder();
  let demo = await startOwnDemo({ cwd });
  const browser = await Browser.launch();
  try {
    const ann = await browser.person(demo);
    const page = await ann.logIn('Ann');
    await say(page, 'before');
    await stampOf(page, 'before');

    await demo.stop();
    await sees(parts(page).state.getByText('Connection lost, trying again…'));
    await say(page, 'meanwhile');
    await sees(page.getByText('Not sent: there is no connection. Your text stays here.'));

    demo = await startOwnDemo({ cwd, listen: new URL(demo.url).host });
    await page.locator('#state', { hasText: /^Connected$/ }).waitFor({ timeout: 15_000 });
    await connected(page);
    await seesHere(page, 'Ann № 42 1 tab, you');
    await sees(page.locator('#known-members', { hasText: /^joined$/ }));
    await parts(page).send.click();
    assert.equal(await stampOf(page, 'meanwhile'), 'ANN № 42');
    // The browser itself reports that the server did not answer. Nothing else may be wrong.
    ann.trouble = ann.trouble.filter((line) => !/WebSocket connection to .* failed/.test(line));
    await browser.goHome();
  } finally {
    await browser.close();
    await demo.stop();
  }
});
