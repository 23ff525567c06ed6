import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from '../lib/wait.mjs';

const WORKER = fileURLToPath(new URL('worker.mjs', import.meta.url));
// Of one worker at a time: a client that waits for its turn too long gives up.
const OPENING = 20;
const PATIENCE_MS = 120_000;

/** The clock of all processes of this machine, in milliseconds. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

/**
 * Many official clients, in some processes. A member is
 * `{ id, node, session, user, opened, gone }`, where `gone` says how it ended: `{ at, reason, notice }`.
 */
export class Crowd {
  members = [];
  /** What was given to a handler after its client's disconnect. */
  late = [];
  #workers;
  #calls = new Map();

  constructor(workers = 3) {
    this.#workers = Array.from({ length: workers }, () => {
      // Ends with its channel, which ends with this process, however that ends.
      const worker = fork(WORKER);
      worker.on('message', (message) => this.#take(message));
      return worker;
    });
  }

  /** Lets one client connect for each of `seats`, which are `{ node, session }`. Returns the members. */
  async open(seats) {
    const members = seats.map(({ node, session }) => {
      const member = { id: this.members.length, node, session };
      this.members.push(member);
      return member;
    });
    const queues = this.#workers.map((_, n) => members.filter(({ id }) => id % this.#workers.length === n));
    const seat = async (queue) => {
      for (let member; (member = queue.shift()); ) await this.#seat(member);
    };
    const atOnce = Array.from({ length: OPENING }, () => queues.map(seat)).flat();
    await within(Promise.all(atOnce), 'all to connect', PATIENCE_MS);
    return members;
  }

  #seat(member) {
    const opened = new Promise((resolve) => (member.onOpened = resolve));
    const { node, session } = member;
    this.#tell(member, { command: 'open', id: member.id, url: node.url, cookie: session.cookie });
    return opened;
  }

  /** The user that the server sees for each of them; null if it is gone. */
  async whoami(members) {
    const known = await this.#ask('whoami', members);
    return members.map(({ id }) => known.get(id));
  }

  /** Resolves when the server tells this one that no other user is connected. */
  alone = (member) => this.#ask('alone', [member]);

  /** Resolves when all of them are gone. */
  allGone(members, ms = PATIENCE_MS) {
    const waiting = members.map((member) => member.gone ?? new Promise((resolve) => (member.onGone = resolve)));
    const rest = () => {
      const left = members.filter(({ gone }) => !gone);
      return `${left.length} of ${members.length} clients to be disconnected`;
    };
    return within(Promise.all(waiting), rest, ms);
  }

  /** One sends a message to all on their node, and returns when all these have received it. */
  async fence(speaker, listeners, text) {
    const calls = this.#split(listeners).map(([worker, members]) =>
      this.#call(worker, { command: 'hear', ids: members.map(({ id }) => id), text }),
    );
    await Promise.all(calls.map(({ listening }) => listening));
    const said = this.#call(this.#workerOf(speaker), { command: 'say', id: speaker.id, text }).answer;
    await within(said, 'a message to be taken', PATIENCE_MS);
    await within(Promise.all(calls.map(({ answer }) => answer)), `"${text}" to be heard by all`, PATIENCE_MS);
  }

  close(members) {
    for (const [worker, theirs] of this.#split(members)) {
      worker.send({ command: 'close', ids: theirs.map(({ id }) => id) });
    }
  }

  end() {
    for (const worker of this.#workers) worker.disconnect();
  }

  async #ask(command, members) {
    const answers = new Map();
    const asked = this.#split(members).map(async ([worker, theirs]) => {
      const ids = theirs.map(({ id }) => id);
      const { answer } = this.#call(worker, { command, ids });
      (await answer).forEach((value, n) => answers.set(ids[n], value));
    });
    await within(Promise.all(asked), `${members.length} answers to "${command}"`, PATIENCE_MS);
    return answers;
  }

  #split(members) {
    const parts = this.#workers.map((worker) => [worker, members.filter((one) => this.#workerOf(one) === worker)]);
    return parts.filter(([, theirs]) => theirs.length > 0);
  }

  #workerOf = ({ id }) => this.#workers[id % this.#workers.length];

  #tell = (member, message) => this.#workerOf(member).send(message);

  #call(worker, message) {
    const call = this.#calls.size;
    let onListening;
    const listening = new Promise((resolve) => (onListening = resolve));
    const answer = new Promise((resolve) => this.#calls.set(call, { resolve, onListening }));
    worker.send({ ...message, call });
    return { answer, listening };
  }

  #take({ id, what, call, answer, listening, ...details }) {
    if (listening !== undefined) return this.#calls.get(listening).onListening();
    if (call !== undefined) return this.#calls.get(call).resolve(answer);
    const member = this.members[id];
    if (what === 'late') {
      this.late.push({ id, ...details });
    } else if (what === 'gone') {
      member.gone = details;
      member.onGone?.(details);
    } else {
      member.opened = what === 'open';
      Object.assign(member, details);
    }
    // A login that ends while its client connects is gone before it is open.
    member.onOpened();
  }
}
