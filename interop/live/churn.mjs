import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { World } from './world.mjs';

const USERS = 50;
const VISITORS = 24;
// What the server may have more at the end than after it has warmed up.
const GROWTH = 1.1;
const SLACK_KB = 8 * 1024;

/**
 * Many users log in, connect, come back, log in as another user, log out and leave, again and again, on one
 * server: no user is ever mistaken for another, and the server does not grow.
 */
export async function churn({ cycles, workers = 2, progress = () => {} }) {
  const world = await World.open({ nodes: 1, maxStale: 5_000, workers });
  try {
    const [server] = world.nodes;
    const rss = [await rssKb(server)];
    let begun = 0;
    let sockets = 0;
    const visit = async (until) => {
      while (begun < until) {
        const opened = await cycle(world, (begun += 1));
        sockets += opened;
      }
    };
    const visits = async (until) => {
      await Promise.all(Array.from({ length: VISITORS }, () => visit(until)));
      await assertEmpty(world);
      rss.push(await rssKb(server));
      progress(`${begun} cycles, ${sockets} sockets, RSS ${rss.at(-1)} kB`);
    };
    for (const share of [0.2, 0.4, 0.6, 0.8, 1]) await visits(Math.ceil(share * cycles));
    assert.deepEqual(world.crowd.late, []);
    const [start, warm, end] = [rss[0], rss[1], rss.at(-1)];
    assert.ok(end < warm * GROWTH + SLACK_KB, `RSS grew from ${warm} kB to ${end} kB`);
    const mb = (kb) => (kb / 1024).toFixed(1);
    return { cycles, sockets, 'RSS at start': mb(start), 'warm (MB)': mb(warm), 'at the end': mb(end) };
  } finally {
    await world.close();
  }
}

/** One visit, which ends in one of several ways. Returns how many sockets it took. */
async function cycle(world, n) {
  const { crowd, nodes: [node] } = world;
  const user = n % USERS;
  const session = await world.login(user);
  const seats = Array.from({ length: 1 + (n % 2) }, () => ({ node, session }));
  const members = await crowd.open(seats);
  for (const member of members) assert.equal(member.user, user, 'an identity was mixed up');
  assert.deepEqual(await crowd.whoami(members), members.map(() => user), 'an identity was mixed up');
  let sockets = members.length;

  if (n % 3 === 0) {
    // The clients leave, come back with the same cookie, and leave; the login stays.
    crowd.close(members);
    const again = await crowd.open(seats);
    assert.deepEqual(again.map((one) => one.user), seats.map(() => user), 'an identity was mixed up');
    crowd.close(again);
    sockets += again.length;
  } else if (n % 3 === 1) {
    await session.visitor.post('/logout', {});
    await crowd.allGone(members);
    crowd.close(members);
  } else {
    // Another user logs in with the same browser.
    const other = (user + 1) % USERS;
    await session.visitor.post('/login', { key: other });
    await crowd.allGone(members);
    const theirs = await crowd.open([{ node, session: { cookie: session.visitor.cookie } }]);
    assert.deepEqual(theirs.map((one) => one.user), [other], 'an identity was mixed up');
    crowd.close([...members, ...theirs]);
    sockets += 1;
  }
  return sockets;
}

/** The last to come finds itself alone. */
async function assertEmpty(world) {
  const { crowd, nodes: [node] } = world;
  const [last] = await crowd.open([{ node, session: await world.login(USERS) }]);
  await crowd.alone(last);
  crowd.close([last]);
}

async function rssKb({ pid }) {
  const [, kb] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  return Number(kb);
}
