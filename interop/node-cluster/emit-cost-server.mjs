// A Node server of the cluster, in a process of its own, so that its CPU time can be measured alone.
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const [url, key] = process.argv.slice(2);
const clients = [createClient({ url }), createClient({ url })];
for (const client of clients) await client.connect();
const http = createServer();
new Server(http, { adapter: createAdapter(...clients, { key }) });
http.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
