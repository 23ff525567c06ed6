import { once } from 'node:events';
import { createServer } from 'node:http';

/** Answers requests until SIGTERM, and says where. */
export async function serve(listener, { port, close = () => {} }) {
  const server = createServer(listener).listen(Number(port), '127.0.0.1');
  process.once('SIGTERM', async () => {
    server.closeAllConnections();
    server.close();
    await close();
    process.exit(0);
  });

  // Last: a parent that waits for this line may end the app at once.
  await once(server, 'listening');
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
}
