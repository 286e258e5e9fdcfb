import test from 'ava';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';
import { FrameLog } from '../../support/frame-log.js';

const SILENCE = { type: 'silence', max_length: 16 };

framerContract({ name: 'silence', framing: SILENCE, alphabet: [0, 1] });

test('it asks its host for a flush after the gap', (t) => {
  t.is(makeFramer(framing({ ...SILENCE, gap: '20ms' })).gapMs, 20);
  t.is(makeFramer(framing({ ...SILENCE, gap: '20ms', checksum: { type: 'crc8' } })).gapMs, 20);
});

test('all bytes up to a gap are one frame', (t) => {
  t.deepEqual(cut(SILENCE, ['ab', 'c'], 'none'), []);
  t.deepEqual(cut(SILENCE, ['ab', 'c'], 'gap'), ['frame abc']);
});

test('bytes up to the loss of the link are partial', (t) => {
  t.deepEqual(cut(SILENCE, ['ab', 'c'], 'end'), ['partial abc']);
});

test('a gap without bytes is nothing', (t) => {
  t.deepEqual(cut(SILENCE, [], 'gap'), []);
});

test('more than max_length without a gap is junk', (t) => {
  t.deepEqual(cut(SILENCE, ['a'.repeat(16)], 'gap'), [`frame ${'a'.repeat(16)}`]);
  t.deepEqual(cut(SILENCE, ['a'.repeat(9), 'a'.repeat(9)], 'gap'), [`too-long ${'a'.repeat(16)} +2`]);
});

test('a Modbus RTU answer is a frame without its CRC, a damaged one is junk', (t) => {
  const framer = makeFramer(framing({ type: 'silence', checksum: { type: 'crc16-modbus' } }));
  const request = Buffer.from('010300000001840a', 'hex'); // read one holding register of unit 1
  const log = new FrameLog();
  framer.push(request.subarray(0, 3), log);
  framer.push(request.subarray(3), log);
  framer.flush('gap', log);
  framer.push(Buffer.from('010300000002840a', 'hex'), log);
  framer.flush('gap', log);
  t.is(log.frames[0]?.toString('hex'), '010300000001');
  t.true(log.events[1]?.startsWith('bad-checksum '));
  t.is(framer.wrap(Buffer.from('010300000001', 'hex')).toString('hex'), request.toString('hex'));
});
