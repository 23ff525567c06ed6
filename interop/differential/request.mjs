import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** Never connected: middleware asks it whether it is encrypted. */
const socket = new Socket();

/** A request with these `Cookie` headers, as Node's HTTP parser puts it together. */
export function request(headers) {
  const req = new IncomingMessage(socket);
  req.method = 'GET';
  req.url = '/';
  for (const header of headers) req._addHeaderLine('Cookie', header, req.headers);
  return req;
}
