// A store that cannot be used is not thrown away: its folder gets another name, for whoever wants to look into it. Only the
// newest such folder is kept, so that a disk does not fill up with them.

import { access, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const KEPT = 1;

/** Renames the folder to `<dir>.corrupt-<time>`, and removes older ones. Answers the new name. `wall`: ms. */
export async function setAside(dir: string, wall: number): Promise<string> {
  const prefix = `${basename(dir)}.corrupt-`;
  const name = `${dir}.corrupt-${new Date(wall).toISOString().replaceAll(':', '-')}`;
  const older = (await readdir(dirname(dir))).filter((entry) => entry.startsWith(prefix)).sort();
  for (const entry of older.slice(0, Math.max(0, older.length - KEPT + 1))) {
    await rm(join(dirname(dir), entry), { recursive: true, force: true });
  }
  await rm(name, { recursive: true, force: true });
  await rename(dir, name);
  return name;
}

/**
 * Whether the file CURRENT is missing, or does not name a MANIFEST that is there. LevelDB would make a new store over the first
 * and delete its tables, and has no clear word for all of the others.
 */
export async function isHeadless(dir: string): Promise<boolean> {
  const names = await readdir(dir).catch((): string[] => []);
  if (!names.includes('CURRENT')) return names.some((name) => /^MANIFEST-|\.(?:log|ldb|sst)$/.test(name));
  const named = await readFile(join(dir, 'CURRENT'), 'latin1').catch(() => undefined);
  return named !== undefined && !(named.endsWith('\n') && names.includes(named.slice(0, -1)));
}

/** Whether there is a folder of that name. */
export async function isThere(dir: string): Promise<boolean> {
  return access(dir).then(
    () => true,
    () => false,
  );
}
