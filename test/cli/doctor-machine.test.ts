import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Examination } from '../../src/cli/doctor-finding.js';
import { examineClock, examineMemory, examineVersions } from '../../src/cli/doctor-machine.js';
import { examineGroups } from '../../src/cli/doctor-ports.js';
import { folderFor } from '../support/ferrule-command.js';

/** One of the things that go into the tar. */
function dataOf({ data = {} }: Examination, name: string): Readonly<Record<string, unknown>> {
  return data[name] as Readonly<Record<string, unknown>>; // they are all records
}

test('a clock that was never set fails, with what that does to the gateway', async (t) => {
  const [finding] = (await examineClock(0)).findings;
  t.is(finding?.level, 'fail');
  t.regex(finding?.text ?? '', /1970-01-01T00:00:00\.000Z/);
  t.regex(finding?.todo ?? '', /TLS certificates/);
});

test('a clock of today is told, and whether it is synchronized: one line in any case', async (t) => {
  const { findings } = await examineClock(Date.UTC(2027, 5, 1));
  t.is(findings.length, 1);
  t.not(findings[0]?.level, 'fail');
  t.regex(findings[0]?.text ?? '', /^2027-06-01T00:00:00\.000Z[,;] .*synchronized/);
});

test('versions name what a bug report needs', (t) => {
  const { node, arch, libc, kernel } = dataOf(examineVersions(), 'versions');
  t.deepEqual([node, arch], [process.version, process.arch]);
  t.regex(String(libc), /^(?:glibc|musl)$/);
  t.regex(String(kernel), /^\d+\.\d+/);
});

test('memory is told in figures that fit together', (t) => {
  const { free, total } = dataOf(examineMemory(), 'memory');
  t.true(Number(free) > 0 && Number(free) <= Number(total));
});

test('groups have their names where the system has some, and their numbers where not', (t) => {
  const own = process.getgroups?.()[0] ?? 0;
  const file = join(folderFor(t), 'group');
  writeFileSync(file, `serial:x:${own}:\nbroken\n`);
  t.true([dataOf(examineGroups(file), 'user').groups].flat().includes('serial'));
  t.true([dataOf(examineGroups('/nonexistent'), 'user').groups].flat().includes(String(own)));
});
