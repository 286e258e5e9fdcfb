// A tar archive in memory, POSIX ustar: a header of 512 bytes per file, its bytes filled up to 512, two empty blocks at the end.
// Enough for a few small files with short names; anything larger wants a package.
//
//   name 0, mode 100, uid 108, gid 116, size 124, mtime 136, checksum 148, type 156, magic 257 "ustar\0" version "00"

export interface TarFile {
  /** At most 100 bytes. */
  readonly name: string;
  readonly text: string;
}

const BLOCK = 512;
const MAX_NAME_BYTES = 100;
const FIELDS = { name: 0, mode: 100, uid: 108, gid: 116, size: 124, mtime: 136, checksum: 148, type: 156, magic: 257 };

/** The archive. `mtimeMs`: wall-clock time of all files. */
export function tarOf(files: readonly TarFile[], mtimeMs: number): Buffer {
  const parts = files.flatMap(({ name, text }) => {
    const bytes = Buffer.from(text);
    return [header(name, bytes.length, mtimeMs), bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(name: string, size: number, mtimeMs: number): Buffer {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new RangeError(`too long a name for a tar: ${name}`);
  const block = Buffer.alloc(BLOCK);
  block.write(name, FIELDS.name);
  block.write(octal(0o600, 8), FIELDS.mode);
  block.write(octal(0, 8), FIELDS.uid);
  block.write(octal(0, 8), FIELDS.gid);
  block.write(octal(size, 12), FIELDS.size);
  block.write(octal(Math.max(0, Math.floor(mtimeMs / 1000)), 12), FIELDS.mtime);
  block.write('0', FIELDS.type);
  block.write('ustar\u000000', FIELDS.magic, 'latin1');
  // The sum counts its own field as spaces.
  block.fill(0x20, FIELDS.checksum, FIELDS.type);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 7)} `, FIELDS.checksum, 'latin1'); // six digits, a zero byte, a space
  return block;
}

/** Octal digits and a zero byte, `width` bytes in all. */
function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')}\0`;
}
