// In the place of the tests' `test-runner.ts`: the Redis is on another port, and the Rust servers need to know it.
const { createClient, createCluster } = require('redis');
const { Redis } = require('ioredis');
const { createAdapter } = require('../lib');
const { testSuite: common } = require('./index');
const { testSuite: specifics } = require('./specifics');

const { SUITE_REDIS, SUITE_CLUSTER } = process.env;
const clusterNodes = SUITE_CLUSTER.match(/127\.0\.0\.1:\d+/g).map((node) => ({ url: `redis://${node}` }));

function suite(name, create, { redisPackage = 'redis@5', options = {}, rust = [SUITE_REDIS] } = {}) {
  const make = async () => {
    const pubClient = create();
    const subClient = pubClient.duplicate();
    if (redisPackage === 'redis@5') await Promise.all([pubClient.connect(), subClient.connect()]);
    const adapter = createAdapter(pubClient, subClient, { requestsTimeout: 1000, ...options });
    return [adapter, () => {
      pubClient.disconnect();
      subClient.disconnect();
    }];
  };
  make.rust = rust;
  describe(name, () => {
    common(make);
    specifics(make, redisPackage, false);
  });
}

describe('@socket.io/redis-adapter, with two Rust servers', () => {
  suite('redis@5 standalone', () => createClient({ url: SUITE_REDIS }));
  suite('redis@5 standalone (specific response channel)', () => createClient({ url: SUITE_REDIS }), {
    options: { publishOnSpecificResponseChannel: true },
    rust: [SUITE_REDIS, 'specific'],
  });
  suite('redis@5 cluster', () => createCluster({ rootNodes: clusterNodes }), { rust: [SUITE_CLUSTER] });
  suite('ioredis standalone', () => new Redis(SUITE_REDIS), { redisPackage: 'ioredis' });
});
