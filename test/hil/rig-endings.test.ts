import test from 'ava';
import { Endings } from '../../src/hil/rig-endings.js';

test('what was made last is ended first, once, and one that fails does not keep the others', async (t) => {
  const endings = new Endings();
  const ended: string[] = [];
  endings.add(() => ended.push('first'));
  endings.add(async () => {
    ended.push('second');
    throw new Error('second fails');
  });
  endings.add(() => {
    throw new Error('third fails');
  });
  await t.throwsAsync(endings.run(), { message: 'third fails' });
  t.deepEqual(ended, ['second', 'first']);
  await endings.run();
  t.is(ended.length, 2);
});
