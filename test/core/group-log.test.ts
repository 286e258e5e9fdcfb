import test from 'ava';
import { GroupLog } from '../../src/core/log.js';
import { RecordingLog } from '../support/recording-log.js';

test('each line of a group says whose it is, with fields and without', (t) => {
  const root = new RecordingLog();
  const log = new GroupLog(root, 'scale');
  log.debug({ thread: 'receive' }, 'one');
  log.info('two');
  log.warn({ thread: 'send' }, 'three');
  log.error('four');
  t.deepEqual(
    root.lines.map(({ level, message, fields }) => ({ level, message, fields })),
    [
      { level: 'debug', message: 'one', fields: { group: 'scale', thread: 'receive' } },
      { level: 'info', message: 'two', fields: { group: 'scale' } },
      { level: 'warn', message: 'three', fields: { group: 'scale', thread: 'send' } },
      { level: 'error', message: 'four', fields: { group: 'scale' } },
    ],
  );
});

test('a child of it keeps the group', (t) => {
  const root = new RecordingLog();
  new GroupLog(root, 'scale').child({ thread: 'send' }).warn('stuck');
  t.deepEqual(root.lines[0]?.bindings, { group: 'scale', thread: 'send' });
});
