import { launch } from './children.mjs';
import { freePort } from './free-port.mjs';
import { mongoWireServer } from './requirements.mjs';
import { scratchFolder } from './scratch.mjs';

/** A server with mongod's options, or mongod itself. */
export async function startMongo() {
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind_ip', '127.0.0.1', '--dbpath', await scratchFolder()];
  const ready = /Listening on|Waiting for connections/;
  const server = await launch('the MongoDB-wire server', mongoWireServer, args, { ready });
  return { url: `mongodb://127.0.0.1:${port}/app`, close: () => server.kill() };
}
