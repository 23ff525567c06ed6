// What the demo's pages have in common: the connection's state, who is online, what is known.

export const byId = (id) => document.getElementById(id);

/** Children that are strings become text, never markup. */
export function element(tag, { dataset, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}

/** The demo's own users have names; of a user of your app, the demo knows only the key. */
export const nameOf = ({ id, name }) => name ?? (typeof id === 'string' ? id : JSON.stringify(id));

export function stamp(user) {
  const name = element('b', {}, nameOf(user));
  const dataset = { user: user.id };
  if (user.name === undefined) return element('span', { className: 'stamp', dataset }, name);
  return element('span', { className: 'stamp', dataset }, name, ' ', element('small', {}, `№ ${user.id}`));
}

const STATES = {
  connecting: 'Connecting…',
  open: 'Connected',
  waiting: 'Connection lost, trying again…',
};

/** Shows the state of the connection, and keeps it shown. */
export function watchConnection(connection) {
  connection.on('state', (state) => {
    const { dataset } = document.body;
    // Between two attempts it is still lost. What has not changed is not announced again.
    const shown = state === 'connecting' && dataset.connection === 'waiting' ? 'waiting' : state;
    if (dataset.connection !== shown) byId('state').textContent = STATES[shown];
    dataset.connection = shown;
    know('connection', state === 'open' ? 'open, one WebSocket' : state);
  });
  // No need to wait for the next attempt.
  addEventListener('online', () => connection.open());
  // A page that the browser kept from before shows a state of then.
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
}

const count = (number, noun) => `${number} ${noun}${number === 1 ? '' : 's'}`;

const here = { online: null, me: null };

/** Takes what is new of `online` (the event's payload) and `me` (who is marked in it). */
export function showOnline(news) {
  const { online, me } = Object.assign(here, news);
  if (!online) return;
  const users = online.users.toSorted((a, b) => nameOf(a.user).localeCompare(nameOf(b.user)));
  byId('users').replaceChildren(
    ...users.map(({ user, tabs }) => {
      const mine = me && nameOf(user) === nameOf(me);
      return element('li', {}, stamp(user), ` ${count(tabs, 'tab')}`, mine ? ', you' : '');
    }),
  );
  const nobody = users.length === 0 ? 'Nobody is logged in. ' : '';
  byId('guests').textContent = nobody + (online.guests > 0 ? `${count(online.guests, 'guest')}.` : '');
}

/** One line of "what the server knows". */
export function know(what, value) {
  byId(`known-${what}`).textContent = value;
}

/** Asks the server who this is, shows the answer, and tells it on. */
export function askWho(socket, tell) {
  const hear = ({ user, logged_in }) => {
    know('user', user === null ? 'null, a guest' : JSON.stringify(user));
    know('login', String(logged_in));
    showOnline({ me: user });
    tell(user);
  };
  // Lost before the answer came: it is asked again when it is back.
  socket.ask('whoami').then(hear, () => {});
}

/** Keeps the line of a namespace true. */
export function watchNamespace(socket, what, { onConnect = () => {}, onDisconnect = () => {} } = {}) {
  socket.on('connect', () => {
    know(what, 'joined');
    onConnect();
  });
  socket.on('disconnect', () => {
    know(what, 'not joined');
    onDisconnect();
  });
  socket.on('refused', (message) => {
    know(what, `refused: ${message}`);
    know('code', message);
  });
}
