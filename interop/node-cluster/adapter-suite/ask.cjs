// Asks a Rust server, and blocks until it has answered: the tests read `socket.rooms` without waiting.
const { MessageChannel, Worker, receiveMessageOnPort } = require('node:worker_threads');

const worker = new Worker(`
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', async ({ url, body, answered, port }) => {
    let answer;
    try {
      const headers = { 'content-type': 'application/json' };
      answer = await (await fetch(url, { method: 'POST', headers, body })).json();
    } catch (error) {
      answer = { error: String(error) };
    }
    port.postMessage(answer);
    Atomics.store(answered, 0, 1);
    Atomics.notify(answered, 0);
  });
`, { eval: true });
worker.unref();

exports.ask = (url, method, argument = {}) => {
  const answered = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const body = JSON.stringify([method, argument]);
  worker.postMessage({ url, body, answered, port: port2 }, [port2]);
  if (Atomics.wait(answered, 0, 0, 10_000) === 'timed-out') throw new Error(`${method} was not answered`);
  const answer = receiveMessageOnPort(port1).message;
  port1.close();
  if (answer?.error) throw new Error(`${method}: ${answer.error}`);
  return answer;
};
