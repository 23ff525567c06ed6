import connectMongodbSession from 'connect-mongodb-session';
import MongoStore from 'connect-mongo';
import session from 'express-session';

const MongodbSessionStore = connectMongodbSession(session);

/**
 * connect-mongo or connect-mongodb-session at `mongodb://HOST/DATABASE?layout=…&collection=…`. A URL does not say
 * how connect-mongo writes: with CONNECT_MONGO_STRINGIFY=false it writes BSON.
 */
export async function openMongoStore(storeUrl) {
  const url = new URL(storeUrl);
  const layout = url.searchParams.get('layout') ?? 'connect-mongo';
  const collection = url.searchParams.get('collection') ?? 'sessions';
  url.searchParams.delete('layout');
  url.searchParams.delete('collection');
  return layout === 'connect-mongo' ? openConnectMongo(url.href, collection) : openOther(url.href, collection);
}

async function openConnectMongo(mongoUrl, collectionName) {
  const stringify = process.env.CONNECT_MONGO_STRINGIFY !== 'false';
  const store = MongoStore.create({ mongoUrl, collectionName, stringify });
  // The collection exists from here on; another process may open it.
  await store.collectionP;
  return { store, close: () => store.close() };
}

async function openOther(uri, collection) {
  const store = await new Promise((resolve, reject) => {
    const opened = new MongodbSessionStore({ uri, collection }, (error) => (error ? reject(error) : resolve(opened)));
  });
  return { store, close: () => store.client.close() };
}
