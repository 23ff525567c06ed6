import { setTimeout as pause } from 'node:timers/promises';

/** The promise's value, or an error that says what did not happen in time (`what` may be a function). */
export async function within(promise, what, ms = 5_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(tooLate(ms, what)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The next such event's first argument. Unlike `once` of Node, it takes no `error` for an end. */
export const happens = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

/** Polls until `probe` returns something truthy: for changes that no event announces. */
export async function eventually(probe, what, ms = 5_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw tooLate(ms, what);
    await pause(20);
  }
}

function tooLate(ms, what) {
  return new Error(`waited ${ms} ms for ${typeof what === 'function' ? what() : what}`);
}
