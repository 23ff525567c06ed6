import session from 'express-session';
import sessionFileStore from 'session-file-store';

const FileStore = sessionFileStore(session);

/** session-file-store at `file:DIR?ttl=…&fileExtension=…`. */
export async function openFileStore(storeUrl) {
  const [path, query] = storeUrl.slice('file:'.length).split('?');
  const { ttl, ...options } = Object.fromEntries(new URLSearchParams(query));
  if (ttl !== undefined) options.ttl = Number(ttl);
  // It would log the paths of files, and with them session ids.
  return { store: new FileStore({ path, reapInterval: -1, logFn: () => {}, ...options }), close: () => {} };
}
