import { randomBytes } from 'node:crypto';
import { sign } from 'cookie-signature';

/** A session id as express-session makes them: 24 random bytes, 32 characters. */
export const randomSid = () => randomBytes(24).toString('base64url');

/** The value that express-session would set for `sid`. */
export const signedValue = (sid, secret) => encodeURIComponent(`s:${sign(sid, secret)}`);

/** The session id inside a signed value. */
export function sidOf(value) {
  const signed = decodeURIComponent(value);
  return signed.slice('s:'.length, signed.lastIndexOf('.'));
}

/** The same session id under a signature that differs in one character. */
export function withBrokenSignature(value) {
  const first = value.lastIndexOf('.') + 1;
  return value.slice(0, first) + (value[first] === 'A' ? 'B' : 'A') + value.slice(first + 1);
}

/** Another session id under the same signature. */
export function withOtherSid(value) {
  const sid = sidOf(value);
  return value.replace(sid, (sid.startsWith('A') ? 'B' : 'A') + sid.slice(1));
}
