/** When the sessions begin: the moment at which testkit's `FakeClock` stands. */
export const START = Date.UTC(2026, 0, 1, 12);

const RealDate = Date;
let now = START;

/** From its import on, this process's clock stands still, at the moment of the last `stopClock`. */
globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [now] : args));
  }

  static now() {
    return now;
  }
};

export function stopClock(at = START) {
  now = at;
}
