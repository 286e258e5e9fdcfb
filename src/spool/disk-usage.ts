// What the files of a folder take on the disk.

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What file systems allocate in, nearly everywhere. */
const PAGE = 4096;

/** A file and its size. */
export interface FileSize {
  readonly name: string;
  /** Bytes, rounded up to whole pages. */
  readonly size: number;
}

/** The files of a folder; none where it is not there. Files that vanish meanwhile are left out. */
export async function fileSizes(dir: string): Promise<FileSize[]> {
  const names = await readdir(dir).catch(() => []);
  const sizes = await Promise.all(names.map((name) => sizeOf(dir, name)));
  return sizes.filter((file) => file !== undefined);
}

/** Bytes of all files of a folder. */
export async function folderSize(dir: string): Promise<number> {
  return (await fileSizes(dir)).reduce((sum, file) => sum + file.size, 0);
}

async function sizeOf(dir: string, name: string): Promise<FileSize | undefined> {
  const found = await stat(join(dir, name)).catch(() => undefined);
  return found?.isFile() ? { name, size: Math.ceil(found.size / PAGE) * PAGE } : undefined;
}
