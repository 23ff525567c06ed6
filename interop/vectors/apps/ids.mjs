import { createHash } from 'node:crypto';

/** Session ids as the packages make them, 32 characters of base64url, but always the same ones. */
export function ids() {
  let made = 0;
  return () => createHash('sha256').update(`${made++}`).digest('base64url').slice(0, 32);
}
