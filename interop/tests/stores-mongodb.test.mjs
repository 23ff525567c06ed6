import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MongoClient, ObjectId } from 'mongodb';
import { startMongo } from '../lib/mongodb.mjs';
import { storeSteps } from '../lib/store-steps.mjs';
import { assertGranted, member } from '../lib/verdicts.mjs';

async function start({ parameters, stringify }) {
  const { url, close } = await startMongo();
  // Its apps are started with it.
  process.env.CONNECT_MONGO_STRINGIFY = `${stringify}`;
  const client = await MongoClient.connect(url);
  return {
    storeUrl: `${url}${parameters}`,
    sessions: client.db().collection('sessions'),
    async close() {
      await client.close();
      await close();
    },
  };
}

/** What Mongoose's users have for an id. */
function objectIds(world) {
  test('a user whose key is an ObjectId is known by its digits', async () => {
    const { cookie, sid } = await world.house.login('ann');
    const { sessions } = world.backend;
    const id = new ObjectId('64b7f8d2c3a1e5f609182736');
    const { session } = await sessions.findOne({ _id: sid });
    await sessions.updateOne({ _id: sid }, { $set: { session: { ...session, passport: { user: id } } } });
    await assertGranted(world.demo, { cookie }, member(id.toHexString()));

  });
}

storeSteps({
  name: 'connect-mongo',
  needs: ['mongo'],
  start: () => start({ parameters: '', stringify: true }),
});

storeSteps({
  name: 'connect-mongo, stringify: false',
  needs: ['mongo'],
  start: () => start({ parameters: '?layout=connect-mongo', stringify: false }),
  more: objectIds,
});

storeSteps({
  name: 'connect-mongodb-session',
  needs: ['mongo'],
  start: () => start({ parameters: '?layout=connect-mongodb-session', stringify: true }),
  // It has no `touch`: a session lives on when it is saved.
  touches: false,
  more: objectIds,
});
