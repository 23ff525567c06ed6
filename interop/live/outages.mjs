import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { now } from './crowd.mjs';
import { summary } from './numbers.mjs';
import { World, seats } from './world.mjs';

const NODES = 3;
const MAX_STALE_MS = 3_000;
// The delay from a server to its clients' handlers, on a busy machine.
const DELIVERY_MS = 500;
const AWAY_MS = 4_000;

// Each fails its world while some of the sessions are logged out, and answers with the moment from which on
// the store can be asked (by default: each session's logout), and with the sessions that are dead (by default:
// those that logged out).
const OUTAGES = {
  async 'a node is killed'(world, leaving) {
    const [first, ...rest] = leaving;
    await logout(first);
    const killing = world.nodes[0].kill();
    await Promise.all(rest.map(logout));
    await killing;
    return { lost: world.nodes[0] };
  },

  async "Redis' connections are cut"(world, leaving) {
    for (const session of leaving) {
      await Promise.all([
        // The app may have lost its command.
        logout(session).catch(() => {}),
        world.redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      ]);
    }
    await world.redis.command('DEL', ...leaving.map(({ sid }) => `sess:${sid}`));
    return { recovered: now() };
  },

  async 'Redis is restarted, and has kept the sessions'(world, leaving) {
    await world.redis.kill();
    await pause(AWAY_MS);
    await world.redis.commandWhileAway('DEL', ...leaving.map(({ sid }) => `sess:${sid}`));
    await world.redis.restart();
    return { recovered: now() };
  },

  async 'Redis is restarted, and is empty'(world, _leaving, all) {
    await world.redis.kill();
    await pause(AWAY_MS);
    await world.redis.commandWhileAway('FLUSHALL');
    await world.redis.restart();
    return { recovered: now(), dead: all };
  },

  async 'Redis is frozen'(world, leaving) {
    const [first, ...rest] = leaving;
    await logout(first);
    world.redis.freeze();
    const logouts = rest.map(logout);
    await pause(AWAY_MS);
    world.redis.thaw();
    const recovered = now();
    await Promise.all(logouts);
    return { recovered };
  },
};

/** Every dead login's sockets are closed within `max_stale` of the recovery, and no live one's. */
export async function outages({ sessions: count, names = Object.keys(OUTAGES), progress = () => {}, workers = 2 }) {
  const rows = [];
  for (const name of names) {
    rows.push(await outage(name, { count, workers }));
    progress(name);
  }
  return rows;
}

async function outage(name, { count, workers }) {
  const world = await World.open({ nodes: NODES, maxStale: MAX_STALE_MS, durable: true, workers });
  try {
    const { crowd } = world;
    const sessions = await world.logins(count);
    const members = await crowd.open(seats(sessions, world.nodes, 2 * count));
    const leaving = sessions.filter((_, n) => n % 4 === 0);
    const { recovered = 0, lost, dead = leaving } = await OUTAGES[name](world, leaving, sessions);

    const there = members.filter(({ node }) => node !== lost);
    const [ending, staying] = [
      there.filter(({ session }) => dead.includes(session)),
      there.filter(({ session }) => !dead.includes(session)),
    ];
    await crowd.allGone(ending, 30_000);
    for (const { gone } of ending) assert.equal(gone.notice?.code, 'logged_out');
    const late = ({ session, gone }) => gone.at - (recovered || session.clicked);
    const { p50, p99, max } = summary(ending.map((one) => Math.max(0, late(one))));
    assert.ok(max < MAX_STALE_MS + DELIVERY_MS, `${name}: closed ${max} ms after the recovery`);

    // Every live session has been looked up by then.
    await pause(MAX_STALE_MS);
    const known = await crowd.whoami(staying);
    assert.deepEqual(known, staying.map(({ session }) => session.user), `${name}: a live login was closed`);
    if (lost) await assertComeBack(world, members.filter(({ node }) => node === lost), dead);
    assert.deepEqual(crowd.late, []);
    return { outage: name, closed: ending.length, p50, p99, max, max_stale: MAX_STALE_MS, stayed: staying.length };
  } finally {
    await world.close();
  }
}

/** The clients of a killed node connect to another one: only those with a login are let in. */
async function assertComeBack({ crowd, nodes }, stranded, dead) {
  await crowd.allGone(stranded);
  const again = await crowd.open(stranded.map(({ session }) => ({ session, node: nodes.at(-1) })));
  for (const { session, user, message } of again) {
    if (dead.includes(session)) assert.equal(message, 'unauthorized');
    else assert.equal(user, session.user);
  }
}

function logout(session) {
  session.clicked = now();
  return session.visitor.post('/logout', {});
}
