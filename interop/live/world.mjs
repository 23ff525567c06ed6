import { House } from '../lib/house.mjs';
import { startAppOnPassport, startDemo } from '../lib/servers.mjs';
import { Crowd } from './crowd.mjs';

// With thousands of clients at `trace` the run would only test the log.
const LOG = 'passport_socketio=info';

/** A Redis, an Express + Passport app whose users are whatever a login says, some nodes, and a crowd of clients. */
export class World {
  static async open({ nodes, maxStale, told = true, durable = false, workers }) {
    const world = new World();
    world.house = await House.onRedis({ durable });
    try {
      world.redis = world.house.redis;
      world.app = await world.house.open(startAppOnPassport, { passport: 'passport' });
      const store = told ? world.house.store : `${world.house.store}?protocol=resp2`;
      const args = ['--max-stale', `${maxStale}ms`];
      const node = () => world.house.open(startDemo, { store, args, log: LOG });
      world.nodes = await Promise.all(Array.from({ length: nodes }, node));
      world.crowd = new Crowd(workers);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** A session of this user: `{ user, visitor, cookie, sid, loggedOut }`. */
  async login(user) {
    const visitor = this.app.visitor();
    await visitor.post('/login', { key: user });
    return { user, visitor, cookie: visitor.cookie, sid: visitor.sid };
  }

  /** Logs in so many, some at a time; every third user has two sessions. */
  async logins(count) {
    const sessions = [];
    const users = Array.from({ length: count }, (_, n) => (n % 4 === 3 ? n - 1 : n));
    const queue = [...users];
    const clerk = async () => {
      for (let user; (user = queue.shift()) !== undefined; ) sessions.push(await this.login(user));
    };
    await Promise.all(Array.from({ length: 8 }, clerk));
    return sessions;
  }

  /** Closes everything; failures here are ignored if something failed before. */
  async close() {
    this.crowd?.end();
    await this.house.close();
  }
}

/** 1, 2, or 3 sockets for each session, on one node after the other: `{ node, session }`. */
export function seats(sessions, nodes, count) {
  const seats = [];
  for (let n = 0; seats.length < count; n += 1) {
    const session = sessions[n % sessions.length];
    // Three sessions in a row begin on the same node, and the next three on another one.
    for (let k = 0; k <= n % 3 && seats.length < count; k += 1) {
      seats.push({ session, node: nodes[(Math.floor(n / 3) + k) % nodes.length] });
    }
  }
  return seats;
}
