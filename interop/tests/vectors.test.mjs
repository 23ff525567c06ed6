import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FILES, committed, made } from '../vectors/make.mjs';

describe('the vectors in crates/testkit', () => {
  for (const name of Object.keys(FILES)) {
    test(`${name}.json is what the npm packages make`, async () => {
      assert.equal(committed(name), await made(name));
    });
  }
});
