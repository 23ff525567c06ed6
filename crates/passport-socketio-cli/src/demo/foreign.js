// The page of a foreign house: says whom your app's session makes of this browser, and keeps it true.

import { Connection } from '/client.js';
import { askWho, byId, know, showOnline, stamp, watchConnection, watchNamespace } from '/view.js';

const connection = new Connection();
const lobby = connection.socket('/lobby');

/** How this page's login ended, until there is another one. */
let ending = null;

watchConnection(connection);
watchNamespace(lobby, 'lobby', {
  onConnect: () => askWho(lobby, become),
  onDisconnect() {
    // Nobody is invited back as the member they were. But guests are welcome here.
    if (ending && !ending.reconnect) lobby.connect();
  },
});

lobby.on('online', (online) => showOnline({ online }));
lobby.on('session_ended', ({ code, reconnect }) => {
  ending = { code, reconnect };
  know('code', `${code} (reconnect: ${reconnect})`);
  say(['Your login has ended.'], `The server told this page at once: ${code}.`);
});

/** Somebody, or a guest if `user` is null. */
function become(user) {
  if (user) {
    ending = null;
    say(['You are user ', stamp(user)], 'Your app said so, in your session. Log out there, and reload this page.');
  } else if (!ending) {
    say(['You are a guest.'], `No login of your app came with the cookies for ${location.hostname}.`);
  }
}

function say(who, advice) {
  byId('who').replaceChildren(...who);
  byId('advice').textContent = advice;
}

lobby.connect();
