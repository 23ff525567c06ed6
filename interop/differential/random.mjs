/**
 * Random choices that can be repeated: the case `index` of a run with `seed` is always the same, whatever
 * else the run does. The generator is sfc32 (PractRand, public domain).
 */
export class Random {
  #a;
  #b;
  #c = 0x9e3779b9;
  #counter = 1;

  constructor(seed, index) {
    this.#a = seed >>> 0;
    this.#b = index >>> 0;
    for (let round = 0; round < 12; round++) this.#next();
  }

  #next() {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit) {
    return Math.floor((this.#next() / 0x1_0000_0000) * limit);
  }

  /** An integer from `low` to `high`. */
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  /** True in `share` of all cases. */
  chance(share) {
    return this.#next() / 0x1_0000_0000 < share;
  }

  pick(values) {
    return values[this.below(values.length)];
  }

  /** The second of one of these `[weight, value]`, called with this if it is a function. */
  weighted(choices) {
    let left = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    const [, value] = choices.find(([weight]) => (left -= weight) < 0);
    return typeof value === 'function' ? value(this) : value;
  }

  shuffle(values) {
    const shuffled = [...values];
    for (let last = shuffled.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      [shuffled[last], shuffled[other]] = [shuffled[other], shuffled[last]];
    }
    return shuffled;
  }

  /** `length` times what `make` makes, joined. */
  text(length, make) {
    let text = '';
    for (let count = 0; count < length; count++) text += make(this);
    return text;
  }
}
