import { describe, test } from 'node:test';
import { unless } from '../lib/requirements.mjs';
import { churn } from '../live/churn.mjs';
import { fleet } from '../live/fleet.mjs';
import { outages } from '../live/outages.mjs';

// What scripts/fleet, scripts/outages and scripts/churn do for longer, and with more of everything. Each throws
// when a promise is broken.
describe('live sessions in long runs, shortened', { skip: unless('demo', 'redis') }, () => {
  test('three nodes, many sockets: logouts that Redis announces', () =>
    fleet({ nodes: 3, sockets: 30, told: true, maxStale: 6_000, workers: 2 }));

  test('three nodes, many sockets: logouts that the sweep finds', () =>
    fleet({ nodes: 3, sockets: 30, told: false, maxStale: 1_500, workers: 2 }));

  test('a node that is killed while users log out', () =>
    outages({ sessions: 24, names: ['a node is killed'] }));

  test('visits of all kinds, one after the other and at once', () => churn({ cycles: 120 }));
});
