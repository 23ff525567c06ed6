// Node's own adapter tests, with two of their three servers replaced by Rust ones:
//
//   git clone https://github.com/socketio/socket.io-redis-adapter /tmp/redis-adapter
//   (cd /tmp/redis-adapter && npm ci --ignore-scripts)
//   cargo build -p node-cluster --example suite_server
//   node interop/node-cluster/adapter-suite/main.mjs /tmp/redis-adapter [mocha's options]
//
// Their test files stay as they are. Only how they set up their servers is replaced, in a folder `test-rust` beside
// theirs. The sharded adapter is left out, and so is a custom parser: these are other protocols.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis, startRedisCluster } from '../../lib/redis.mjs';

const [repository, ...options] = process.argv.slice(2);
if (!repository) throw new Error('usage: main.mjs FOLDER_OF_SOCKET_IO_REDIS_ADAPTER [mocha options]');
const theirs = (name) => join(resolve(repository), 'test', name);
const folder = join(resolve(repository), 'test-rust');
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

await rm(folder, { recursive: true, force: true });
await mkdir(folder);
for (const name of ['index.ts', 'specifics.ts']) await copyFile(theirs(name), join(folder, name));
await copyFile(theirs('util.ts'), join(folder, 'their-util.ts'));
for (const name of ['util', 'ask', 'runner']) await copyFile(here(`${name}.cjs`), join(folder, `${name}.js`));

const redis = await Redis.start();
const cluster = await startRedisCluster(3);
const mocha = spawn('npx', ['mocha', '--require', 'ts-node/register', ...options, 'test-rust/runner.js'], {
  cwd: resolve(repository),
  stdio: 'inherit',
  env: {
    ...process.env,
    TS_NODE_TRANSPILE_ONLY: 'true',
    SUITE_REDIS: redis.url,
    SUITE_CLUSTER: cluster.url,
    SUITE_SERVER: process.env.SUITE_SERVER_BIN ?? here('../../../target/debug/examples/suite_server'),
  },
});
const [code] = await once(mocha, 'exit');
await rm(folder, { recursive: true });
await redis.close();
await cluster.close();
process.exit(code);
