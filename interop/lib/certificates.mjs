import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scratchFolder } from './scratch.mjs';

const openssl = promisify(execFile).bind(undefined, 'openssl');
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** An authority of our own, and a certificate for 127.0.0.1 and localhost that it signed: files in PEM. */
export async function makeCertificates() {
  const cwd = await scratchFolder();
  const run = (...args) => openssl(args.flat(), { cwd });
  const authority = ['-subj', '/CN=test-ca', '-keyout', 'ca.key', '-out', 'ca.pem'];
  await run('req', '-x509', NEW_KEY, '-days', '2', authority);
  const names = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  await run('req', NEW_KEY, names, '-keyout', 'test.key', '-out', 'test.csr');
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy'];
  await run('x509', '-req', '-in', 'test.csr', signer, '-days', '2', '-out', 'test.pem');
  return { ca: join(cwd, 'ca.pem'), cert: join(cwd, 'test.pem'), key: join(cwd, 'test.key') };
}
