import test from 'ava';
import { framingSchema } from '../../../src/config/framing-schema.js';
import { cut, framerContract } from '../../contracts/framer.js';

framerContract({ name: 'raw', framing: { type: 'raw', max_length: 16 }, alphabet: [0, 10] });

test('every chunk is a frame, of any length', (t) => {
  t.deepEqual(cut({ type: 'raw', max_length: 2 }, ['abc', '', 'd']), ['frame abc', 'frame d']);
});

test('a config that wants a checksum on raw chunks is refused', (t) => {
  t.false(framingSchema.safeParse({ type: 'raw', checksum: { type: 'crc8' } }).success);
});
