import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { send } from '../lib/http.mjs';
import { unless } from '../lib/requirements.mjs';
import { scratchFolder } from '../lib/scratch.mjs';
import { startOwnDemo } from '../lib/servers.mjs';
import { Browser, DESK, PHONE, chatting, parts, say, screenshot, sees, seesHere, stampOf } from './browser.mjs';

/** Nothing is wider than the window, and everything that can be used is in it, large enough for a finger. */
async function assertFits(page) {
  const { width, content, controls } = await page.evaluate(() => ({
    width: document.documentElement.clientWidth,
    content: document.documentElement.scrollWidth,
    controls: [...document.querySelectorAll('button, input, a, summary')]
      .filter((control) => control.checkVisibility())
      .map((control) => ({ what: control.outerHTML, ...control.getBoundingClientRect().toJSON() })),
  }));
  assert.equal(content, width, 'no horizontal scroll');
  assert.ok(controls.length > 1);
  for (const { what, left, right, height } of controls) {
    assert.ok(left >= 0 && right <= width, `${what} is inside: ${left} to ${right}`);
    assert.ok(height >= 24, `${what} is ${height} high`);
  }
}

describe('the page', { skip: unless('demo', 'chromium') }, () => {
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

  test('can be used with the keyboard alone', async () => {
    const page = await (await browser.person(demo)).tab();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.innerText.replace(/\s+/g, ' ')), 'Log in as Bob № 7');
    await page.keyboard.press('Enter');
    await chatting(page);
    await page.waitForFunction(() => document.activeElement.id === 'text');
    await page.keyboard.type('no mouse here');
    await page.keyboard.press('Enter');
    assert.equal(await stampOf(page, 'no mouse here'), 'BOB № 7');

    // Backwards: the messages can be scrolled, then the two ways out.
    const names = [];
    for (let step = 0; step < 3; step += 1) {
      await page.keyboard.press('Shift+Tab');
      names.push(await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText));
    }
    assert.deepEqual(names, ['Messages', 'Log out everywhere', 'Log out']);
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
    await page.keyboard.press('Enter');
    await sees(parts(page).logInAs('Bob'));
  });

  test('has the roles and names that a screen reader needs', async () => {
    const page = await (await browser.person(demo)).tab();
    await sees(page.getByRole('heading', { level: 1, name: 'passport-socketio demo' }));
    await sees(page.getByRole('region', { name: 'Pick a passport' }));
    await sees(page.getByRole('main'));
    await sees(page.getByRole('complementary'));
    await sees(page.getByRole('status').filter({ hasText: 'Connected' }));
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');

    await parts(page).logInAs('Ann').click();
    await chatting(page);
    await sees(page.getByRole('region', { name: 'Chat' }));
    await sees(parts(page).log);
    await sees(parts(page).text);
    await sees(parts(page).send);
    await sees(parts(page).here.getByRole('listitem').filter({ hasText: 'Ann № 42 1 tab, you' }));
    await sees(page.getByRole('link', { name: 'Open a second tab' }));
  });

  for (const [device, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
    for (const colorScheme of ['light', 'dark']) {
      test(`fits on a ${device}, in the ${colorScheme}`, async () => {
        const look = { viewport, colorScheme, hasTouch: device === 'phone', isMobile: device === 'phone' };
        const picture = (page, what) => screenshot(page, `${what}-${device}-${colorScheme}`);
        const person = await browser.person(demo, look);
        const page = await person.tab();
        await assertFits(page);
        await picture(page, 'login');

        await person.logIn('Ann', page);
        const bob = await (await browser.person(demo)).logIn('Bob');
        await say(page, 'Hello! Is anybody travelling today?');
        await stampOf(bob, 'Hello! Is anybody travelling today?');
        await say(bob, 'Me. Platform seven, as always. The night train, so that there is time to read and nobody asks for anything before breakfast.');
        await say(bob, `https://example.com/${'a-long-way/'.repeat(12)}`);
        await stampOf(page, `https://example.com/${'a-long-way/'.repeat(12)}`);
        await say(page, '<b>Bold</b> claims are only text here.');
        await stampOf(page, '<b>Bold</b> claims are only text here.');
        const other = await person.tab();
        await seesHere(page, 'Ann № 42 2 tabs, you', 'Bob № 7 1 tab');
        await assertFits(page);
        await picture(page, 'chat');

        await other.bringToFront();
        await parts(other).logOut.click();
        await sees(parts(page).notice);
        await seesHere(page, 'Bob № 7 1 tab');
        await assertFits(page);
        await picture(page, 'ended');
      });
    }
  }

  test('nothing moves if the user prefers reduced motion', async () => {
    const page = await (await browser.person(demo, { reducedMotion: 'reduce' })).logIn('Ann');
    await say(page, 'steady');
    await stampOf(page, 'steady');
    const animation = await page.locator('.message .stamp').evaluate((stamp) => getComputedStyle(stamp).animationName);
    assert.equal(animation, 'none');
  });

  test('without JavaScript it logs in and out, and says what it needs', async () => {
    const page = await (await browser.person(demo, { javaScriptEnabled: false })).blankTab();
    await page.goto(demo.url);
    // Playwright's own lookup of texts leaves <noscript> out.
    assert.match(await page.locator('noscript').innerText(), /^The chat needs JavaScript\./);
    await parts(page).logInAs('Zoë').click();
    await sees(page.getByText('You are Zoë № 0'));
    await screenshot(page, 'without-javascript');
    await parts(page).logOut.click();
    await sees(parts(page).logInAs('Zoë'));
  });

  test('every file forbids what the page does not need', async () => {
    const types = {
      '/': 'text/html',
      '/page.js': 'text/javascript',
      '/client.js': 'text/javascript',
      '/view.js': 'text/javascript',
      '/style.css': 'text/css',
      '/icon.svg': 'image/svg+xml',
      '/emblem.svg': 'image/svg+xml',
      '/favicon.ico': 'image/svg+xml',
    };
    for (const [path, type] of Object.entries(types)) {
      const { status, headers } = await send(demo.url + path);
      assert.equal(status, 200, path);
      assert.equal(headers['content-type'].split(';')[0], type, path);
      assert.match(headers['content-security-policy'], /^default-src 'none'; script-src 'self';/, path);
      assert.doesNotMatch(headers['content-security-policy'], /unsafe|\*/, path);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['referrer-policy'], 'same-origin', path);
      assert.equal(headers['cache-control'], 'no-cache', path);
    }
  });
});
