/**
 * Writes the vectors in crates/testkit/vectors: what the real npm packages make, and what they make of it.
 *
 *   node vectors/make.mjs           writes all files anew
 *   node vectors/make.mjs --check   writes nothing, and fails if a file is not what the packages would make
 *
 * One module a file (`files/`). Time stands still and session ids are given, so that the packages make the
 * same bytes each time. What they draw at random all the same (the nonces of @fastify/secure-session) is taken
 * from the file, and put to the package again. For new ones, delete the file first.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as cookie from './files/cookie.mjs';
import * as cookieNames from './files/cookie-names.mjs';
import * as cookies from './files/cookies.mjs';
import * as cookieSession from './files/cookie-session.mjs';
import * as cookieSignature from './files/cookie-signature.mjs';
import * as expressSession from './files/express-session.mjs';
import * as fastifySecureSession from './files/fastify-secure-session.mjs';
import * as fastifySession from './files/fastify-session.mjs';
import * as keygrip from './files/keygrip.mjs';
import * as koaGenericSession from './files/koa-generic-session.mjs';
import * as koaSession from './files/koa-session.mjs';
import * as passport from './files/passport.mjs';

export const FILES = {
  'cookie-signature': cookieSignature,
  keygrip,
  cookie,
  'cookie-names': cookieNames,
  cookies,
  'express-session': expressSession,
  passport,
  'cookie-session': cookieSession,
  'koa-session': koaSession,
  'koa-generic-session': koaGenericSession,
  'fastify-session': fastifySession,
  'fastify-secure-session': fastifySecureSession,
};

const pathOf = (name) => new URL(`../../crates/testkit/vectors/${name}.json`, import.meta.url);

/** The committed text, or nothing. */
export function committed(name) {
  return existsSync(pathOf(name)) ? readFileSync(pathOf(name), 'utf8') : undefined;
}

/** The text of the file as the packages make it now. */
export async function made(name) {
  const { madeBy, vectors } = FILES[name];
  const before = committed(name);
  const kept = new Map(before ? JSON.parse(before).vectors.map((vector) => [vector.name, vector]) : []);
  const list = await vectors(kept);
  const names = new Set(list.map((vector) => vector.name));
  if (names.size !== list.length) throw new Error(`${name}: two vectors have one name`);
  const lines = list.map((vector) => `    ${JSON.stringify(vector)}`).join(',\n');
  return `{\n  "made_by": ${JSON.stringify(madeBy())},\n  "vectors": [\n${lines}\n  ]\n}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values: options } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  for (const name of Object.keys(FILES)) {
    const text = await made(name);
    const same = text === committed(name);
    if (!options.check) writeFileSync(pathOf(name), text);
    else if (!same) process.exitCode = 1;
    const verdict = same ? 'as in the file' : options.check ? 'NOT as in the file' : 'written anew';
    console.log(`${name}: ${JSON.parse(text).vectors.length} vectors, ${verdict}`);
  }
}
