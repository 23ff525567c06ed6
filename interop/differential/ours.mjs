import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const binary =
  process.env.DIFFERENTIAL_BIN ??
  fileURLToPath(new URL('../../target/debug/examples/differential', import.meta.url));

/** Our code, as a process that answers cases. Answers come in the order of the questions. */
export class Ours {
  #child;
  #waiting = [];
  #text = '';
  #ended = null;

  static async start() {
    const ours = new Ours();
    ours.#child = spawn(binary, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve, reject) => {
      ours.#child.once('spawn', resolve);
      ours.#child.once('error', ({ code }) =>
        reject(new Error(`the example \`differential\` does not run (${code}): build it, or set DIFFERENTIAL_BIN`)),
      );
    });
    ours.#child.stdout.setEncoding('utf8').on('data', (chunk) => ours.#read(chunk));
    ours.#child.stdin.on('error', () => {});
    ours.#child.on('exit', (code, signal) => ours.#fail(new Error(`our code ended (${signal ?? code})`)));
    return ours;
  }

  /** One answer for each of these cases. */
  ask(cases) {
    if (cases.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      this.#waiting.push({ count: cases.length, answers: [], resolve, reject });
      this.#child.stdin.write(cases.map((testCase) => `${JSON.stringify(onTheWire(testCase))}\n`).join(''));
    });
  }

  stop() {
    this.#child.stdin.end();
  }

  #read(chunk) {
    const lines = (this.#text + chunk).split('\n');
    this.#text = lines.pop();
    for (const line of lines) {
      const [first] = this.#waiting;
      first.answers.push(JSON.parse(line));
      if (first.answers.length === first.count) this.#waiting.shift().resolve(first.answers);
    }
  }

  #fail(error) {
    this.#ended = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** Headers and payloads are bytes, which JSON can't hold. */
const onTheWire = (testCase) => ({
  ...testCase,
  headers: testCase.headers.map((header) => Buffer.from(header, 'latin1').toString('base64')),
  payload: testCase.payload?.toString('base64') ?? null,
});
