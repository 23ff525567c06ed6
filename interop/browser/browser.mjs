import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { chromiumBinary } from '../lib/requirements.mjs';
import { keepCookiesSecret } from '../lib/secrecy.mjs';
import { within } from '../lib/wait.mjs';

const FLAGS = [
  // Chromium's own sandbox needs a permission of the kernel, which test machines seldom give.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const WAIT_MS = 5_000;
const SCREENSHOTS = process.env.SCREENSHOTS ?? fileURLToPath(new URL('../screenshots', import.meta.url));

export const DESK = { width: 1200, height: 800 };
export const PHONE = { width: 390, height: 844 };

/** A Chromium in which several people have windows on one demo. */
export class Browser {
  #chromium;
  #people = [];

  static async launch() {
    const browser = new Browser();
    browser.#chromium = await chromium.launch({ executablePath: chromiumBinary, args: FLAGS });
    return browser;
  }

  /** A person with a cookie jar of their own. */
  async person(demo, { viewport = DESK, ...options } = {}) {
    const context = await this.#chromium.newContext({ viewport, ...options });
    context.setDefaultTimeout(WAIT_MS);
    const person = new Person(context, demo.url);
    this.#people.push(person);
    return person;
  }

  /** Ends the test's windows. None may have had trouble. */
  async goHome() {
    const people = this.#people.splice(0);
    for (const person of people) await person.close();
    assert.deepEqual(people.flatMap(({ trouble }) => trouble), []);
  }

  close() {
    return this.#chromium.close();
  }
}

class Person {
  /** All console output, failures, refusals, and requests to other servers. */
  trouble = [];
  #context;
  #url;

  constructor(context, url) {
    this.#context = context;
    this.#url = url;
    context.on('page', (page) => this.#watch(page));
    context.on('request', (request) => {
      if (!request.url().startsWith(`${url}/`)) this.trouble.push(`${request.url()} was asked for`);
    });
    context.on('requestfailed', (request) => {
      const why = request.failure()?.errorText;
      // No load event waits for the icon, so a page that is loaded anew may give it up halfway.
      const isGivenUp = request.url() === `${url}/icon.svg` && why === 'net::ERR_ABORTED';
      if (!isGivenUp) this.trouble.push(`${request.url()}: ${why}`);
    });
    context.on('response', (response) => {
      if (response.status() >= 400) this.trouble.push(`${response.url()}: ${response.status()}`);
    });
  }

  #watch(page) {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.trouble.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.trouble.push(`exception: ${error.stack}`));
    page.on('websocket', (socket) => {
      const own = this.#url.replace(/^http/, 'ws');
      if (!socket.url().startsWith(`${own}/`)) this.trouble.push(`${socket.url()} was connected to`);
    });
  }

  /** A tab, once its page has received the list of users. */
  async tab() {
    const page = await this.blankTab();
    await page.goto(this.#url);
    await connected(page);
    return page;
  }

  async blankTab() {
    return this.#context.newPage();
  }

  /** A tab in which this person has just logged in. */
  async logIn(name, page) {
    const tab = page ?? (await this.tab());
    await tab.getByRole('button', { name: `Log in as ${name}` }).click();
    await chatting(tab);
    await this.#keepCookieSecret();
    return tab;
  }

  addCookie(name, value) {
    return this.#context.addCookies([{ name, value, url: this.#url }]);
  }

  async #keepCookieSecret() {
    for (const { name, value } of await this.#context.cookies()) keepCookiesSecret(`${name}=${value}`);
  }

  close() {
    return this.#context.close();
  }
}

/** The parts of the page, by their roles and names. */
export const parts = (page) => ({
  state: page.locator('#state'),
  log: page.getByRole('log', { name: 'Messages' }),
  text: page.getByRole('textbox', { name: 'Message' }),
  send: page.getByRole('button', { name: 'Send' }),
  notice: page.getByRole('alert'),
  here: page.getByRole('region', { name: 'Who is here' }),
  logOut: page.getByRole('button', { name: 'Log out', exact: true }),
  logOutEverywhere: page.getByRole('button', { name: 'Log out everywhere' }),
  logInAs: (name) => page.getByRole('button', { name: `Log in as ${name}` }),
});

export const connected = (page) => sees(page.locator('#state', { hasText: /^Connected$/ }));

export const chatting = (page) => sees(page.locator('#text:enabled'));

/** Waits until it is visible, with its tab in front: a background tab is drawn once in a second. */
export async function sees(locator) {
  await locator.page().bringToFront();
  await locator.first().waitFor({ state: 'visible' });
}

export async function say(page, text) {
  await page.bringToFront();
  const { text: field, send } = parts(page);
  await field.fill(text);
  await send.click();
}

/** Waits for the message; answers with the stamp on it. */
export async function stampOf(page, text) {
  const message = page.locator('.message', { has: page.getByText(text, { exact: true }) });
  await sees(message);
  return message.locator('.stamp').innerText();
}

/** Waits until the page lists exactly these: `['Ann № 42 2 tabs, you', …]`. */
export async function seesHere(page, ...expected) {
  await page.bringToFront();
  const wanted = JSON.stringify(expected);
  const read = () => [...document.querySelectorAll('#users li')].map((item) => item.textContent);
  const reached = page.waitForFunction(
    (list) => JSON.stringify([...document.querySelectorAll('#users li')].map((item) => item.textContent)) === list,
    wanted,
  );
  await reached.catch(async () => assert.deepEqual(await page.evaluate(read), expected));
}

export async function screenshot(page, name) {
  await mkdir(SCREENSHOTS, { recursive: true });
  // Stamps are animated; a picture shows them in their final place.
  const picture = page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true, animations: 'disabled' });
  await within(picture, `a picture of ${name}`, 20_000);
}
