import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mysqlSteps } from '../lib/mysql-steps.mjs';

mysqlSteps({
  name: 'connect-session-knex on MySQL',
  layout: 'knex',
  more(world) {
    // The package's column takes ids of other letters for the same.
    test('an id in other letters is refused, though the app would accept it', async () => {
      const { house, ours } = world;
      const { sid } = await house.login('ann');
      const other = sid.toUpperCase();
      assert.ok(await house.app.stored(other));
      assert.equal(await ours.load(other), null);
      assert.equal(await ours.touch(other, 600), false);
      assert.equal(await ours.destroy(other), false);
      assert.ok(await ours.load(sid));
    });

    test('its dates are in UTC, though the server is not', async () => {
      const { backend, house } = world;
      const { sid } = await house.login('ann');
      const sql = `SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), expired) AS life,
        TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) AS zone FROM sessions WHERE sid = ?`;
      const [{ life, zone }] = await backend.mariadb.execute(sql, [sid]);
      assert.equal(zone, -5 * 3_600);
      assert.ok(life > 3_500 && life <= 3_600, `${life}`);
    });
  },
});
