// The page of a foreign house: says whom your app's session makes of this browser, and keeps it true.

import { Connection } from '/client.js';
import { byId, know, knowWho, showOnline, stamp, watchConnection, watchNamespace } from '/view.js';

const connection = new Connection();
const lobby = connection.socket('/lobby');

let ended = false;

watchConnection(connection);
watchNamespace(lobby, 'lobby', {
  async onConnect() {
    const answer = await lobby.ask('whoami');
    knowWho(answer);
    const me = answer.user;
    showOnline({ me });
    if (me) {
      byId('who').replaceChildren('You are user ', stamp(me));
      byId('advice').textContent = 'Your app said so, in your session. Log out there, and reload this page.';
    } else if (!ended) {
      byId('who').textContent = 'You are a guest.';
      byId('advice').textContent = `No login of your app came with the cookies for ${location.hostname}.`;
    }
  },
  onDisconnect() {
    if (ended) lobby.connect();
  },
});

lobby.on('online', (online) => showOnline({ online }));
lobby.on('session_ended', ({ code, reconnect }) => {
  know('code', `${code} (reconnect: ${reconnect})`);
  ended = !reconnect;
  byId('who').textContent = 'Your login has ended.';
  byId('advice').textContent = `The server told this page at once: ${code}.`;
});

lobby.connect();
