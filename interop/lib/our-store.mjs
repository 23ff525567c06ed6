import { PROGRAM_MS, launch } from './children.mjs';
import { sessionStoreBinary } from './requirements.mjs';
import { keepPasswordOf } from './secrecy.mjs';

/** The Rust store that a URL names, with no server around it (`crates/testkit/examples/session_store.rs`). */
export class OurStore {
  #process;
  #last = Promise.resolve();

  static async open(storeUrl) {
    keepPasswordOf(storeUrl);
    const store = new OurStore();
    store.#process = await launch('session_store', sessionStoreBinary, [storeUrl], {
      ready: /^open$/m,
      stdin: 'pipe',
    });
    return store;
  }

  /** `{ payload, left_ms, alive }`, or null. */
  load = async (sid) => (await this.#ask({ do: 'load', sid })).session;
  loadMany = async (sids) => (await this.#ask({ do: 'load_many', sids })).sessions;
  /** Whether there was such a session. */
  touch = async (sid, seconds) => (await this.#ask({ do: 'touch', sid, seconds })).changed;
  destroy = async (sid) => (await this.#ask({ do: 'destroy', sid })).changed;

  isAlive = async (sid) => (await this.load(sid))?.alive ?? false;

  close = () => this.#process.finish();

  /** One after the other: the answers have no names. */
  #ask(command) {
    const answer = this.#last.then(() => this.#exchange(command));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #exchange(command) {
    const { stdin, stdout } = this.#process;
    const mark = stdout.mark();
    stdin.write(`${JSON.stringify(command)}\n`);
    const [line] = await stdout.match(/^.*\n/, { mark, ms: PROGRAM_MS });
    const answer = JSON.parse(line);
    if (answer.error ?? answer.cannot) throw new Error(`${command.do}: ${line}`);
    return answer;
  }
}
