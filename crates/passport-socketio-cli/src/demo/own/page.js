// The page of the demo's own house. Everybody is in /lobby, which tells who is here and who you are.
// Members are in / too, where the chat is.

import { Connection } from '/client.js';
import { askWho, byId, element, know, nameOf, showOnline, stamp, watchConnection, watchNamespace } from '/view.js';

const MOST_MESSAGES = 200;

/** What `session_ended` means, by its code. */
const ENDINGS = {
  logged_out: 'You were logged out in another window.',
  expired: 'Your login has expired.',
  revoked: 'Your login was ended by an operator.',
  user_changed: 'Somebody else has logged in in this browser.',
};

const connection = new Connection();
const lobby = connection.socket('/lobby');
const members = connection.socket('/');
/** The other tabs of this browser: they share the cookie. */
const tabs = new BroadcastChannel('login');

let me = null;
/** How this page's login ended, until there is another one. */
let ending = null;
/** This window itself logs out: it is about to be replaced, and has no need for news. */
let leaving = false;

watchConnection(connection);
watchNamespace(lobby, 'lobby', {
  onConnect: () => askWho(lobby, become),
  onDisconnect() {
    // Nobody is invited back as the member they were. But guests are welcome here.
    if (ending && !ending.reconnect) lobby.connect();
  },
});
watchNamespace(members, 'members', {
  onConnect: openChat,
  onDisconnect() {
    if (!ending && !leaving) note('The connection was interrupted here.');
  },
});

lobby.on('online', (online) => showOnline({ online }));
members.on('message', showMessage);
// Whichever namespace hears it first.
for (const socket of [lobby, members]) socket.on('session_ended', end);

// Another tab has logged in. Ask again who this is, over a connection with the new cookie.
tabs.onmessage = () => me || connection.reopen();

/** Somebody, or a guest if `user` is null. */
function become(user) {
  me = user;
  document.body.dataset.who = me ? 'member' : 'guest';
  if (!me) return;
  byId('me').replaceChildren(stamp(me));
  if (ending) announce(`You are ${nameOf(me)}.`, 'You logged in in another tab of this browser.');
  ending = null;
  members.connect();
  tabs.postMessage('logged in');
}

function end({ code, reconnect }) {
  if (ending || leaving) return;
  ending = { code, reconnect };
  // Whichever namespace was told first, the other is left with it.
  if (!reconnect) members.giveUp();
  know('code', `${code} (reconnect: ${reconnect})`);
  const hadFocus = byId('chat').contains(document.activeElement);
  if (!reconnect) document.body.dataset.who = 'guest';
  byId('say').firstElementChild.disabled = true;
  byId('chat').dataset.ended = code;
  byId('log').scrollTop = byId('log').scrollHeight;
  announce(
    ENDINGS[code] ?? `Your login has ended (${code}).`,
    reconnect
      ? 'Coming back as whoever is logged in now.'
      : 'The server told this page at once, and takes no more messages from it.',
  );
  // What had the focus is disabled now. The login is right behind the news.
  if (hadFocus) byId('notice').focus();
}

function announce(title, text) {
  byId('notice').replaceChildren(element('h2', {}, title), element('p', {}, text));
  byId('notice').hidden = false;
}

function openChat() {
  delete byId('chat').dataset.ended;
  byId('say').firstElementChild.disabled = false;
  // Not where a keyboard on the screen would cover half the page.
  if (document.activeElement === document.body && matchMedia('(hover: hover)').matches) byId('text').focus();
}

function showMessage({ user, text }) {
  const now = new Date();
  const time = element('time', { dateTime: now.toISOString() }, now.toLocaleTimeString([], { timeStyle: 'short' }));
  addToLog(element('div', { className: 'message' }, stamp(user), ' ', element('p', {}, text), ' ', time));
}

/** Something worth knowing between two messages. */
function note(text) {
  if (byId('log').querySelector('.message')) addToLog(element('p', { className: 'note' }, text));
}

function addToLog(entry) {
  const log = byId('log');
  const atTheEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.querySelector('.empty')?.remove();
  log.append(entry);
  while (log.children.length > MOST_MESSAGES) log.firstElementChild.remove();
  if (atTheEnd) log.scrollTop = log.scrollHeight;
}

byId('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = byId('text').value;
  if (text.trim() === '') return;
  byId('hint').textContent = '';
  try {
    const said = await members.ask('message', text);
    if (!said) byId('hint').textContent = 'Not sent: that is too long.';
    else if (byId('text').value === text) byId('text').value = '';
  } catch {
    byId('hint').textContent = 'Not sent: there is no connection. Your text stays here.';
  }
});

for (const form of document.querySelectorAll('.account form')) {
  form.addEventListener('submit', () => {
    leaving = true;
  });
}

byId('known').open = matchMedia('(min-width: 60rem)').matches;
lobby.connect();
// Guests are refused. It is the server that decides who is one.
members.connect();
