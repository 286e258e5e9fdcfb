import test from 'ava';
import { countJunk, type JunkCounts, junkKindOf } from '../../src/group/junk-kind.js';

test('a reason is counted by its kind, without its details; what nobody knows is `other`', (t) => {
  const counts: JunkCounts = {};
  for (const reason of [
    'too-long',
    'bad-reading: no number',
    'bad-reading: no object',
    'brand-new',
    '',
    '__proto__: x',
  ])
    countJunk(counts, junkKindOf(reason));
  countJunk(counts, 'skipped', 5);
  t.deepEqual(counts, { 'too-long': 1, 'bad-reading': 2, other: 3, skipped: 5 });
});
