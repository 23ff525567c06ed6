import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = [];

process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** The path of a new folder, which is gone when the process ends, however it ends. */
export async function scratchFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'passport-socketio-interop-'));
  folders.push(folder);
  return folder;
}
