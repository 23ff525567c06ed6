/**
 * A process with many official clients, controlled by `crowd.mjs`. Everything that happens to a client is
 * reported with its moment, on the clock that all processes of a machine share.
 */

import { Manager } from 'socket.io-client';

const clients = new Map();

const now = () => Number(process.hrtime.bigint()) / 1e6;

const COMMANDS = {
  open({ id, url, cookie }) {
    const manager = new Manager(url, {
      transports: ['websocket'],
      extraHeaders: { cookie },
      reconnection: false,
      timeout: 60_000,
    });
    const socket = manager.socket('/');
    const client = { manager, socket, notice: null, isGone: false, heard: null, onOnline: () => {} };
    clients.set(id, client);
    socket.on('connect', () => {
      socket.emit('whoami', ({ user }) => report(id, 'open', { user: user.id }));
    });
    socket.on('connect_error', (error) => report(id, 'refused', { message: error.message }));
    socket.on('session_ended', (notice) => {
      client.notice = { ...notice, at: now() };
    });
    socket.on('disconnect', (reason) => {
      client.isGone = true;
      report(id, 'gone', { reason, notice: client.notice, at: now() });
    });
    socket.onAny((event, payload) => {
      if (client.isGone) report(id, 'late', { event });
      else if (event === 'online') client.onOnline((client.online = payload));
      else if (event === 'message' && payload.text === client.heard?.text) client.heard.resolve();
    });
  },

  async whoami({ ids, call }) {
    const ask = (id) =>
      new Promise((resolve) => {
        const { socket, isGone } = clients.get(id);
        if (isGone) resolve(null);
        else socket.timeout(60_000).emit('whoami', (error, answer) => resolve(error ? null : answer.user.id));
      });
    process.send({ call, answer: await Promise.all(ids.map(ask)) });
  },

  say({ id, text, call }) {
    clients.get(id).socket.emit('message', text, (said) => process.send({ call, answer: said }));
  },

  /** Answers when all of these have received it. */
  async hear({ ids, text, call }) {
    const hearing = ids.map((id) => new Promise((resolve) => (clients.get(id).heard = { text, resolve })));
    process.send({ listening: call });
    await Promise.all(hearing);
    process.send({ call, answer: ids.length });
  },

  /** Answers when the server tells this one that no other user is connected. */
  alone({ ids: [id], call }) {
    const client = clients.get(id);
    client.onOnline = (online) => {
      const isAlone = online?.guests === 0 && online.users.length === 1 && online.users[0].tabs === 1;
      if (isAlone) process.send({ call, answer: [true] });
    };
    client.onOnline(client.online);
  },

  close({ ids }) {
    for (const id of ids) {
      clients.get(id)?.manager._close();
      clients.delete(id);
    }
  },
};

function report(id, what, details) {
  // The parent may have gone: then nothing listens, and this process is about to end.
  if (process.connected) process.send({ id, what, ...details }, () => {});
}

process.on('message', ({ command, ...details }) => COMMANDS[command](details));
process.on('disconnect', () => process.exit(0));
