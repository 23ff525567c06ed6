import { stripVTControlCharacters } from 'node:util';
import { within } from './wait.mjs';

/** Everything a child wrote to one of its streams, and a way to wait for more. */
export class Output {
  #raw = '';
  #readers = new Set();

  constructor(stream) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      this.#raw += chunk;
      for (const read of this.#readers) read();
    });
  }

  /** The text written since a `mark()`, without colours. */
  since(mark = 0) {
    return stripVTControlCharacters(this.#raw.slice(mark));
  }

  mark() {
    return this.#raw.length;
  }

  /** The first match of `pattern` after `mark`, as soon as it is there, unless `orElse` rejects before. */
  async match(pattern, { mark = 0, ms, orElse = new Promise(() => {}) } = {}) {
    let read;
    const found = new Promise((resolve) => {
      read = () => {
        const match = pattern.exec(this.since(mark));
        if (match) resolve(match);
      };
      this.#readers.add(read);
      read();
    });
    try {
      return await within(Promise.race([found, orElse]), `${pattern} in the output`, ms);
    } catch (error) {
      throw new Error(`${error.message}; there was:\n${this.since(mark)}`);
    } finally {
      this.#readers.delete(read);
    }
  }
}
