import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const inTarget = (path) => fileURLToPath(new URL(`../../target/${path}`, import.meta.url));
const fromTarget = (path) => inTarget(`debug/${path}`);

export const demoBinary = process.env.PASSPORT_SOCKETIO_BIN ?? fromTarget('passport-socketio');
export const readmePortBinary = process.env.README_PORT_BIN ?? fromTarget('examples/readme_port');
export const transportsBinary = process.env.TRANSPORTS_BIN ?? fromTarget('examples/transports');
export const sessionStoreBinary = process.env.SESSION_STORE_BIN ?? fromTarget('examples/session_store');

/** Debian installs it in a folder that is not in every user's PATH. */
export const MARIADBD = onThePath('mariadbd') ?? '/usr/sbin/mariadbd';

/** Proxies, each by its path. */
export const proxyPrograms = Object.fromEntries(
  ['nginx', 'haproxy', 'caddy'].map((name) => [name, onThePath(name) ?? `/usr/sbin/${name}`]),
);

/** A program with mongod's options: what `scripts/install-mongo-wire` installs, or a mongod of one's own. */
export const mongoWireServer = process.env.MONGO_WIRE_SERVER ?? inTarget('mongo-wire/bin/mongo-wire');

/** Debian's Chromium; Playwright's own browsers are not downloaded. */
export const chromiumBinary = process.env.CHROMIUM_BIN ?? onThePath('chromium');

/** Where PostgreSQL's own programs are; Debian keeps them out of the path, one folder a version. */
export const postgresFolder = postgresFolders().find((folder) => canRun(join(folder, 'initdb')));

const CHECKS = {
  redis: () =>
    spawnSync('redis-server', ['--version']).error &&
    'redis-server is not installed (Debian: apt install redis-server)',
  proxies: () => {
    const missing = Object.keys(proxyPrograms).filter((name) => !canRun(proxyPrograms[name]));
    return missing.length > 0 && `not installed: ${missing.join(', ')} (Debian: apt install ${missing.join(' ')})`;
  },
  openssl: () => spawnSync('openssl', ['version']).error && 'openssl is not installed (Debian: apt install openssl)',
  mariadb: () =>
    [MARIADBD, 'mariadb-install-db'].some((program) => spawnSync(program, ['--version']).error) &&
    'MariaDB is not installed (Debian: apt install mariadb-server)',
  postgres: () =>
    postgresFolder === undefined && 'PostgreSQL is not installed (Debian: apt install postgresql)',
  memcached: () =>
    spawnSync('memcached', ['--version']).error && 'memcached is not installed (Debian: apt install memcached)',
  mongo: () => missingFile(mongoWireServer, 'MONGO_WIRE_SERVER', 'scripts/install-mongo-wire'),
  demo: () => missingFile(demoBinary, 'PASSPORT_SOCKETIO_BIN', 'cargo build'),
  chromium: () =>
    chromiumBinary === undefined && 'chromium is not on the path (Debian: apt install chromium fonts-liberation)',
  sessionStore: () => missingFile(sessionStoreBinary, 'SESSION_STORE_BIN', 'cargo build --examples'),
  transports: () => missingFile(transportsBinary, 'TRANSPORTS_BIN', 'cargo build --examples'),
  readmePort: () => missingFile(readmePortBinary, 'README_PORT_BIN', 'cargo build --examples'),
};

/**
 * For the `skip` option of a suite: the reason why it cannot run here, or false.
 * Under CI a missing server is a failure, for a skipped suite proves nothing.
 */
export function unless(...needs) {
  const reasons = needs.map((need) => CHECKS[need]()).filter(Boolean);
  if (reasons.length === 0) return false;
  if (process.env.CI) throw new Error(`cannot run under CI: ${reasons.join('; ')}`);
  return reasons.join('; ');
}

function missingFile(path, variable, command) {
  return canRun(path) ? undefined : `${path} is missing (run ${command}, or set ${variable})`;
}

function postgresFolders() {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian) : [];
  return [...process.env.PATH.split(delimiter), ...versions.map((version) => join(debian, version, 'bin'))];
}

function onThePath(command) {
  return process.env.PATH.split(delimiter)
    .map((folder) => join(folder, command))
    .find(canRun);
}

function canRun(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
