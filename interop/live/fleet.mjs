import assert from 'node:assert/strict';
import { now } from './crowd.mjs';
import { summary } from './numbers.mjs';
import { World, seats } from './world.mjs';

// The delay from a server to the handlers of a thousand clients, on a busy machine.
const DELIVERY_MS = 1_000;
const BURST = 50;
// With a feed half of them are closed sooner than this, without the sweep.
const TOLD_MS = 500;

/**
 * Some nodes over one Redis, a crowd on them. Users log out through the app, one after the other and in bursts:
 * how long do their clients stay connected, from the moment at which they click?
 */
export async function fleet({ nodes = 3, sockets = 1000, told, maxStale, workers = 3, progress = () => {} }) {
  const world = await World.open({ nodes, maxStale, told, workers });
  try {
    const { crowd } = world;
    const sessions = await world.logins(Math.ceil((nodes * sockets) / 2));
    progress(`${sessions.length} logins`);
    const members = await crowd.open(seats(sessions, world.nodes, nodes * sockets));
    assert.deepEqual(members.filter((one) => one.user !== one.session.user), [], 'every client has the user who logged in');
    progress(`${members.length} sockets on ${nodes} nodes`);

    // A fifth one after the other, a third in bursts; the others stay.
    const busy = sessions.filter((session) => members.some((one) => one.session === session));
    const single = busy.slice(0, Math.floor(busy.length / 10));
    const burst = busy.slice(single.length, single.length + Math.floor(busy.length / 3));
    const of = (some) => members.filter(({ session }) => some.includes(session));
    const [oneByOne, inBursts, stayed] = [of(single), of(burst), of(busy.slice(single.length + burst.length))];

    for (const session of single) {
      await logout(session);
      // Found by the sweep it takes its time, in which the next ones can log out.
      if (told) await crowd.allGone(of([session]));
    }
    await crowd.allGone(oneByOne);
    progress(`${single.length} logouts, one after the other`);
    for (let n = 0; n < burst.length; n += BURST) {
      const some = burst.slice(n, n + BURST);
      await Promise.all(some.map(logout));
      if (told) await crowd.allGone(of(some));
    }
    await crowd.allGone(inBursts);
    progress(`${burst.length} logouts, up to ${BURST} at once`);

    const gone = [...oneByOne, ...inBursts];
    for (const { gone: { reason, notice } } of gone) {
      assert.equal(reason, 'io server disconnect');
      assert.deepEqual([notice?.code, notice?.reconnect], ['logged_out', false]);
    }
    // A message to all reaches those who stayed, and no others.
    for (const node of world.nodes) {
      const here = stayed.filter((one) => one.node === node);
      await crowd.fence(here[0], here, `to all, at ${now()}`);
    }
    const known = await crowd.whoami(stayed);
    assert.deepEqual(known, stayed.map(({ session }) => session.user), 'users who did not log out are unchanged');
    assert.deepEqual(crowd.late, [], 'nothing comes after the disconnect');

    const delays = (some) => some.map(({ session, gone: { at } }) => at - session.clicked);
    const bound = (told ? maxStale / 3 : maxStale) + DELIVERY_MS;
    const answers = (some) => summary(some.map(({ clicked, answered }) => answered - clicked));
    const how = told ? 'push' : 'sweep';
    const row = (what, some, theirs) => {
      const { p50, p99, max } = summary(delays(some));
      if (told) assert.ok(p50 < TOLD_MS, `${how}, ${what}: half of them take ${p50} ms and more`);
      assert.ok(max < bound, `${how}, ${what}: closed ${max} ms after the logout, more than ${bound}`);
      const app = answers(theirs);
      return { how, logouts: what, sockets: some.length, p50, p99, max, 'app p50': app.p50, 'app max': app.max };
    };
    return [row('one after the other', oneByOne, single), row(`${BURST} at once`, inBursts, burst)];
  } finally {
    await world.close();
  }
}

async function logout(session) {
  session.clicked = now();
  await session.visitor.post('/logout', {});
  session.answered = now();
}
