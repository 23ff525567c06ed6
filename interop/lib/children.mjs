import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Output } from './output.mjs';
import { demoBinary, readmePortBinary, sessionStoreBinary } from './requirements.mjs';
import { searchAtTheEnd } from './secrecy.mjs';
import { within } from './wait.mjs';

const OURS = [demoBinary, readmePortBinary, sessionStoreBinary];

// How long a program may take to start, or to run to its end. It takes about a second on an idle machine; on one
// whose cores have other work, a Node app that loads its packages has been seen to take 20. Only a program that
// hangs takes longer.
export const PROGRAM_MS = 60_000;

const running = new Set();

// However this process ends, no server outlives it; without a listener a signal would skip `exit`.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Runs a command that ends by itself. */
export async function runToItsEnd(command, args, { input = '', env = {}, ms = PROGRAM_MS } = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  running.add(child);
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const all = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [stdout, stderr, [code]] = await within(all, `${command} to end`, ms);
  running.delete(child);
  if (OURS.includes(command)) searchAtTheEnd(command, () => stdout + stderr);
  return { code, stdout, stderr };
}

/** A child process which is ready when its stdout shows `ready`. */
export async function launch(name, command, args, { ready, env = {}, cwd, stdin = 'ignore' } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  });
  // `close`, unlike `exit`, comes after the last of the output.
  const exited = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return { code, signal };
  });
  running.add(child);
  // A suite whose hooks fail shall end and say so, not wait for its servers.
  for (const handle of [child, child.stdout, child.stderr]) handle.unref();

  const stdout = new Output(child.stdout);
  const stderr = new Output(child.stderr);
  if (OURS.includes(command)) searchAtTheEnd(name, () => stdout.since() + stderr.since());

  const endedAtStart = exited.then(({ code, signal }) => {
    throw new Error(`${name} ended (${signal ?? code}):\n${stdout.since()}${stderr.since()}`);
  });
  const match = await stdout.match(ready, { ms: PROGRAM_MS, orElse: endedAtStart });
  let wasKilled = false;

  return {
    name,
    pid: child.pid,
    match,
    stdin: child.stdin,
    stdout,
    stderr,
    signal: (signal) => child.kill(signal),

    /** Ends it as an operator would, unless it was killed, and checks that it ends without an error. */
    async stop() {
      if (wasKilled) return;
      child.kill('SIGTERM');
      const end = await within(exited, `${name} to stop after SIGTERM`, 10_000);
      assert.deepEqual(end, { code: 0, signal: null }, `${name} after SIGTERM:\n${stderr.since()}`);
    },

    /** Closes its stdin, after which it has nothing left to do. */
    async finish() {
      child.stdin.end();
      const end = await within(exited, `${name} to end after its stdin`, 10_000);
      assert.deepEqual(end, { code: 0, signal: null }, `${name} after its stdin:\n${stderr.since()}`);
    },

    /** Ends it as a crash would. */
    async kill() {
      wasKilled = true;
      child.kill('SIGKILL');
      await within(exited, `${name} to die`);
    },
  };
}
