import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mysqlSteps } from '../lib/mysql-steps.mjs';

mysqlSteps({
  name: 'connect-session-sequelize on MySQL',
  layout: 'sequelize',
  nodeMindsExpiry: false,
  more(world) {
    test("a touch or change here writes every column as Sequelize does", async () => {
      const { backend, house, ours } = world;
      const { sid } = await house.login('ann');
      await backend.mariadb.execute('UPDATE Sessions SET createdAt = 0, updatedAt = 0 WHERE sid = ?', [sid]);
      await ours.touch(sid, 7_200);
      const sql = `SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), expires) AS life,
        TIMESTAMPDIFF(SECOND, updatedAt, UTC_TIMESTAMP()) AS ago, createdAt + 0 AS made FROM Sessions WHERE sid = ?`;
      const [{ life, ago, made }] = await backend.mariadb.execute(sql, [sid]);
      assert.ok(life > 7_100 && life <= 7_200, `${life}`);
      assert.ok(ago >= 0 && ago < 30, `${ago}`);
      assert.equal(made, 0);
    });
  },
});
