import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createProxyServer } from 'http-proxy-3';
import { launch } from './children.mjs';
import { freePort, listens } from './free-port.mjs';
import { proxyPrograms } from './requirements.mjs';
import { scratchFolder } from './scratch.mjs';

const PAGE = new URL('../../docs/behind-a-proxy.md', import.meta.url);

/** The guide's own configuration, with what differs from machine to machine put in. */
async function snippet(language, replacements) {
  const page = await readFile(PAGE, 'utf8');
  const [, text] = page.match(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'm'));
  return Object.entries(replacements).reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`the page's ${language} configuration has no ${from}`);
    return changed.replaceAll(from, to);
  }, text);
}

const PROXIES = {
  async nginx({ folder, port, target, certificates }) {
    const server = await snippet('nginx', {
      'listen 443': `listen ${port}`,
      'app.example.com': 'localhost',
      '127.0.0.1:3000': target,
      '/etc/ssl/app.pem': certificates.cert,
      '/etc/ssl/app.key': certificates.key,
    });
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const text = `
      daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr;
      ${process.getuid() === 0 ? 'user root;' : ''}
      events {}
      http {
        access_log off;
        ${temporary.map((what) => `${what}_temp_path ${folder}/${what};`).join(' ')}
        ${server}
      }`;
    return { text, args: (file) => ['-p', folder, '-e', 'stderr', '-c', file] };
  },

  async haproxy({ folder, port, target, certificates }) {
    const both = join(folder, 'app-and-key.pem');
    await writeFile(both, (await readFile(certificates.cert)) + (await readFile(certificates.key)));
    const text = await snippet('haproxy', {
      ':443': `:${port}`,
      '127.0.0.1:3000': target,
      '/etc/ssl/app-and-key.pem': both,
    });
    return { text, args: (file) => ['-db', '-f', file] };
  },

  async caddy({ folder, port, target, certificates }) {
    const site = await snippet('caddyfile', {
      'app.example.com {': `https://localhost:${port} {`,
      '127.0.0.1:3000': target,
      '/etc/ssl/app.pem': certificates.cert,
      '/etc/ssl/app.key': certificates.key,
    });
    const text = `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${site}`;
    return { text, args: (file) => ['run', '--adapter', 'caddyfile', '--config', file], env: { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder } };
  },
};

/** A real proxy of this name, with TLS, in front of the server at `target` (host and port). */
export async function startProxy({ name, target, certificates }) {
  const [folder, port] = [await scratchFolder(), await freePort()];
  const { text, args, env } = await PROXIES[name]({ folder, port, target, certificates });
  const file = join(folder, 'proxy.conf');
  await writeFile(file, `${text}\n`);
  // None of them says on its stdout that it is ready.
  const command = ['-c', 'echo started; exec "$0" "$@"', proxyPrograms[name], ...args(file)];
  const proxy = await launch(name, 'sh', command, { ready: /^started$/m, env, cwd: folder });
  await listens(port).catch((error) => {
    throw new Error(`${name}: ${error.message}\n${proxy.stderr.since()}`);
  });
  // HAProxy ends by SIGTERM as a program does that knows nothing of it. The others end their children.
  return { ...proxy, url: `https://localhost:${port}`, stop: name === 'haproxy' ? proxy.kill : proxy.stop };
}

/** The options of the guide's vite.config.js, with `more`. */
async function viteOptions({ target, more }) {
  const file = join(await scratchFolder(), 'vite.config.mjs');
  await writeFile(file, await snippet('js', { '127.0.0.1:3000': target }));
  const { default: config } = await import(pathToFileURL(file));
  const proxy = Object.entries(config.server.proxy);
  return proxy.map(([path, options]) => [path, { ...options, ...more }]);
}

/** What Vite's development server does for `server.proxy`, with the package that does it there. */
export async function startViteProxy({ port = 0, ...options }) {
  const proxies = (await viteOptions(options)).map(([path, own]) => ({ path, own, proxy: createProxyServer(own) }));
  for (const { proxy } of proxies) proxy.on('error', () => {});
  const find = ({ url }) => proxies.find(({ path }) => url.startsWith(path));
  const server = createServer((request, response) => {
    const found = find(request);
    if (found) found.proxy.web(request, response);
    else response.writeHead(404).end();
  });
  server.on('upgrade', (request, socket, head) => {
    const found = find(request);
    if (found?.own.ws) found.proxy.ws(request, socket, head);
    else socket.destroy();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://localhost:${server.address().port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
