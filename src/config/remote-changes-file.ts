// The file of what was changed over MQTT: `<data_dir>/devices.json`. Replaced as a whole and only by a complete one, so that
// neither a crash nor a full disk leaves half a file; a file that cannot be read is set aside, never overwritten.
//
//   devices.json.tmp: write, fsync -> rename to devices.json -> fsync of the folder

import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export const CHANGES_FILE = 'devices.json';

/** Where the changes of a gateway are kept. */
export function changesPath(dataDir: string): string {
  return join(dataDir, CHANGES_FILE);
}

/** Puts `text` in the place of the file. Rejects as `fs` does; the file is then as it was. One at a time. */
export async function writeChangesFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const draft = `${path}.tmp`;
  await mkdir(folder, { recursive: true });
  try {
    // 0600: the options of a device may hold a password.
    await writeSynced(draft, text);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {}); // the first error is the one to tell
    throw error;
  }
  // The new file is in its place: a file system that cannot sync a folder only makes it later that this is sure.
  await syncFolder(folder).catch(() => {});
}

/** Moves a file out of the way; answers its new name. `suffix` keeps an earlier one. Rejects as `fs` does. */
export async function setAside(path: string, suffix: string): Promise<string> {
  const aside = `${path}.${suffix}`;
  await rename(path, aside);
  return aside;
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
