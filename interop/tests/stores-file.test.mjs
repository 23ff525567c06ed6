import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchFolder } from '../lib/scratch.mjs';
import { storeSteps } from '../lib/store-steps.mjs';
import { assertRefused } from '../lib/verdicts.mjs';

storeSteps({
  name: 'session-file-store',
  async start() {
    const folder = await scratchFolder();
    return { folder, storeUrl: `file:${folder}`, close: () => {} };
  },
  more(world) {
    const fileOf = ({ sid }) => join(world.backend.folder, `${sid}.json`);

    test('a touch here changes only the last access, as Node sees it', async () => {
      const visitor = await world.house.login('ann');
      const { __lastAccess: before, ...rest } = JSON.parse(await readFile(fileOf(visitor)));
      assert.equal(await world.ours.touch(visitor.sid, 7_200), true);
      const { __lastAccess: after, ...same } = JSON.parse(await readFile(fileOf(visitor)));
      assert.ok(after > before);
      assert.deepEqual(same, rest);
    });

    test('a file that is not JSON is a server error, and is not removed', async () => {
      const visitor = await world.house.login('ann');
      await writeFile(fileOf(visitor), '{"cookie":');
      const { cookie } = visitor;
      await assertRefused(world.demo, { cookie }, { message: 'server_error', code: 'corrupt_session' });
      assert.equal(await readFile(fileOf(visitor), 'utf8'), '{"cookie":');
    });
  },
});

storeSteps({
  name: 'session-file-store, with another extension',
  async start() {
    return { storeUrl: `file:${await scratchFolder()}?fileExtension=.session`, close: () => {} };
  },
});
