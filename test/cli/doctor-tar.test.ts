import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { tarOf } from '../../src/cli/doctor-tar.js';
import { folderFor } from '../support/ferrule-command.js';
import { fc } from '../support/properties.js';

test('tar reads what was written: names, texts, time, and nobody else may read the files', (t) => {
  const dir = folderFor(t);
  const files = [
    { name: 'a/report.txt', text: 'größer\n' },
    { name: 'a/empty.json', text: '' },
    { name: 'a/512.txt', text: 'x'.repeat(512) },
    { name: `a/${'n'.repeat(98)}`, text: 'y'.repeat(100_000) },
  ];
  const archive = join(dir, 'out.tar');
  writeFileSync(archive, tarOf(files, Date.UTC(2026, 10, 23, 3, 4, 5)));
  const listed = spawnSync('tar', ['--utc', '--full-time', '-tvf', archive], { encoding: 'utf8' });
  t.is(listed.stderr, '');
  t.is(listed.stdout.match(/^-rw------- 0\/0 +\d+ 2026-11-23 03:04:05 /gm)?.length, files.length);
  t.is(spawnSync('tar', ['-xf', archive, '-C', dir]).status, 0);
  for (const { name, text } of files) t.is(readFileSync(join(dir, name), 'utf8'), text);
});

test('any files make whole blocks, each with a checksum that is right', (t) => {
  const file = fc.record({
    name: fc.stringMatching(/^[a-z]{1,20}$/),
    text: fc.string({ maxLength: 2000, unit: 'binary' }),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 5 }), fc.integer({ min: -1e15, max: 4e12 }), (files, mtimeMs) => {
      const archive = tarOf(files, mtimeMs);
      t.is(archive.length % 512, 0);
      let at = 0;
      for (const { name, text } of files) {
        const header = archive.subarray(at, at + 512);
        t.is(header.toString('latin1', 0, name.length), name);
        const field = header.toString('latin1', 148, 156);
        const zeroed = Buffer.from(header);
        zeroed.fill(0x20, 148, 156);
        t.is(
          Number.parseInt(field, 8),
          zeroed.reduce((sum, byte) => sum + byte, 0),
        );
        const size = Buffer.byteLength(text);
        t.is(archive.toString('utf8', at + 512, at + 512 + size), Buffer.from(text).toString('utf8'));
        at += 512 + Math.ceil(size / 512) * 512;
      }
      t.true(archive.subarray(at).every((byte) => byte === 0));
      t.is(archive.length - at, 1024);
    }),
    { numRuns: 50 },
  );
});

test('a name that does not fit is refused, not cut', (t) => {
  t.throws(() => tarOf([{ name: 'n'.repeat(101), text: '' }], 0), { instanceOf: RangeError });
});
