// What an emit costs the server that delivers it: ours, and a Node server on @socket.io/redis-adapter. Both hold as
// many sockets, and hear the same emitter through the same Redis, in turns. `scripts/emit-cost` runs it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execFileSync } from 'node:child_process';
import { WebSocket } from 'ws';
import { launch } from '../lib/children.mjs';
import { Redis } from '../lib/redis.mjs';
import { within } from '../lib/wait.mjs';
import { emitters, rustServer } from './house.mjs';

const { values: options } = parseArgs({
  options: {
    sockets: { type: 'string', default: '1000' },
    emits: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    'at-once': { type: 'string', default: '1,20,100' },
    goal: { type: 'string', default: '0' },
  },
});
const [sockets, emits, rounds, goal] = ['sockets', 'emits', 'rounds', 'goal'].map((name) => Number(options[name]));
const bursts = options['at-once'].split(',').map(Number);
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
// 1,000 messages take a tenth of a second on a busy core; only a lost one takes longer.
const FAR = 30_000;

/** The CPU time of a process and all its threads, in microseconds: the program's own, and the kernel's for it. */
function cpuMicros(pid) {
  const [, fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  return fields.split(' ').slice(11, 13).map((ticks) => (Number(ticks) * 1_000_000) / TICKS_PER_SECOND);
}

/** As many clients, which count what they hear. */
async function connectClients(url) {
  const clients = { heard: 0, awaited: 0, reached: () => {}, all: [] };
  const one = () => new Promise((resolve, reject) => {
    const client = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    client.on('error', reject);
    client.on('close', () => reject(new Error('a client was disconnected')));
    client.on('message', (data) => {
      const text = `${data}`;
      if (text.startsWith('42')) {
        clients.heard += 1;
        if (clients.heard === clients.awaited) clients.reached();
      } else if (text === '2') {
        client.send('3');
      } else if (text.startsWith('0{')) {
        client.send('40');
      } else if (text.startsWith('40')) {
        resolve();
      }
    });
    clients.all.push(client);
  });
  while (clients.all.length < sockets) {
    const missing = Math.min(50, sockets - clients.all.length);
    await within(Promise.all(Array.from({ length: missing }, one)), 'clients to connect', FAR);
  }
  return clients;
}

/** Emits `count` times, `at once` together, and returns when every client has heard them. */
async function emitAndWait(emitter, key, clients, count, atOnce) {
  for (let emitted = 0; emitted < count; emitted += atOnce) {
    clients.heard = 0;
    clients.awaited = clients.all.length * atOnce;
    const heard = new Promise((resolve) => { clients.reached = resolve; });
    for (let n = 0; n < atOnce; n += 1) {
      emitter.emit('news', { id: emitted + n, title: 'Shares fell as markets opened', tags: ['markets', 'news'] });
    }
    await within(heard, () => `${clients.awaited} messages of ${key}, not ${clients.heard}`, FAR);
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const redis = await Redis.start();
// Each server has a key of its own, so that only one of them hears an emit.
const nodeServer = await launch('a Node server', process.execPath,
  [fileURLToPath(new URL('emit-cost-server.mjs', import.meta.url)), redis.url, 'of-node'],
  { ready: /listening on (http:\S+)/ });
const servers = [
  { name: 'Node, redis-adapter 8.3', key: 'of-node', pid: nodeServer.pid, url: nodeServer.match[1] },
  { ...await rustServer(['listen', `${redis.url}?key=of-listener`]), name: 'Rust, emitters in', key: 'of-listener' },
  { ...await rustServer(['member', `${redis.url}?key=of-member`]), name: 'Rust, member', key: 'of-member' },
];
for (const server of servers) {
  server.emitter = (await emitters(redis.url, {}, { key: server.key })).emitter;
  server.clients = await connectClients(server.url);
}

const WAYS = bursts.map((count) => [count === 1 ? 'one at a time' : `${count} at once`, count]);
const costs = new Map();
for (const [way, atOnce] of WAYS) {
  for (const server of servers) {
    await emitAndWait(server.emitter, server.name, server.clients, 2 * atOnce, atOnce); // warm
    costs.set(`${server.name} ${way}`, []);
  }
}
for (let round = 1; round <= rounds; round += 1) {
  for (const [way, atOnce] of WAYS) {
    for (const { name, pid, emitter, clients } of servers) {
      const before = cpuMicros(pid);
      await emitAndWait(emitter, name, clients, emits, atOnce);
      const [user, system] = cpuMicros(pid).map((micros, n) => (micros - before[n]) / (emits * sockets));
      costs.get(`${name} ${way}`).push({ user, system, all: user + system });
    }
  }
  console.log(`round ${round} of ${rounds}`);
}

let isMissed = false;
console.log(`\nCPU of the server's process for each message delivered, µs: median of ${rounds} rounds, ${sockets} sockets`);
console.log(`${'emits'.padEnd(14)} ${'server'.padEnd(24)}    all   program  kernel  Node's is  all rounds`);
for (const [way] of WAYS) {
  const medianOf = (name, part) => median(costs.get(`${name} ${way}`).map((cost) => cost[part]));
  for (const { name } of servers) {
    const ratio = medianOf(servers[0].name, 'all') / medianOf(name, 'all');
    const parts = ['all', 'user', 'system'].map((part) => medianOf(name, part).toFixed(2).padStart(7)).join(' ');
    const rows = costs.get(`${name} ${way}`).map(({ all }) => all.toFixed(2)).join(' ');
    console.log(`${way.padEnd(14)} ${name.padEnd(24)} ${parts}   ${ratio.toFixed(2).padStart(6)} ×  ${rows}`);
    if (name !== servers[0].name && ratio < goal) isMissed = true;
  }
}
if (isMissed) console.log(`\nNode's is less than ${goal} times ours somewhere.`);
process.exit(isMissed ? 1 : 0);
