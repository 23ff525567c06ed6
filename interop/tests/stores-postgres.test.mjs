import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Postgres } from '../lib/postgres.mjs';
import { storeSteps } from '../lib/store-steps.mjs';

// One server for all, west of Greenwich; each layout has a database of its own.
let starting;
const server = () => (starting ??= Postgres.start({ timeZone: 'America/New_York' }));
after(async () => (await starting)?.close());

const postgres = ({ timeZone, layout, schema, table, ...steps }) =>
  storeSteps({
    needs: ['postgres'],
    async start() {
      const named = Object.entries({ layout, schema, table }).filter(([, value]) => value);
      // Not URLSearchParams, whose + is a space to JavaScript alone.
      const parameters = named.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      const database = await (await server()).createDatabase({ timeZone, schema });
      return { storeUrl: [database, parameters.join('&')].filter(Boolean).join('?'), close: () => {} };
    },
    ...steps,
  });

/** How many seconds the newest session lives on, if its `expire` is in this time zone. */
async function lifeIn(timeZone, house, table, { sid }) {
  const life = 'extract(epoch FROM expire AT TIME ZONE $1 - now())::float8';
  const sql = `SELECT ${life} AS life FROM ${table} WHERE sid = $2`;
  const [{ life: left }] = await (await server()).execute(house.store.split('?')[0], sql, [timeZone, sid]);
  return left;
}

const anHour = (life) => life > 3_590 && life <= 3_602;

postgres({
  name: 'connect-pg-simple, on a server in New York',
  resolutionMs: 1_000,
  more(world) {
    test('its times are in the zone of New York, and in no other', async () => {
      const ann = await world.house.login('ann');
      assert.ok(anHour(await lifeIn('America/New_York', world.house, 'session', ann)));
      assert.ok((await lifeIn('UTC', world.house, 'session', ann)) < 0, 'in UTC the session would be over');
    });
  },
});
postgres({
  name: 'connect-pg-simple, in a database in Tokyo, in a schema and a table of other names',
  timeZone: 'Asia/Tokyo',
  schema: 'Web',
  table: 'User Sessions',
  resolutionMs: 1_000,
  more(world) {
    test('its times are in the zone of Tokyo, and in no other', async () => {
      const ann = await world.house.login('ann');
      const table = '"Web"."User Sessions"';
      assert.ok(anHour(await lifeIn('Asia/Tokyo', world.house, table, ann)));
      assert.ok((await lifeIn('UTC', world.house, table, ann)) > 20_000, 'in UTC the session would live on for hours');
    });
  },
});
postgres({ name: 'connect-session-knex on PostgreSQL', layout: 'knex' });
postgres({
  name: 'connect-session-knex on PostgreSQL, in a schema and a table of other names',
  layout: 'knex',
  schema: 'web',
  table: 'user_sessions',
});
postgres({ name: 'connect-session-sequelize on PostgreSQL', layout: 'sequelize', nodeMindsExpiry: false });
postgres({
  name: 'connect-session-sequelize on PostgreSQL, in a schema and a table of other names',
  layout: 'sequelize',
  schema: 'web',
  table: 'user_sessions',
  nodeMindsExpiry: false,
});
