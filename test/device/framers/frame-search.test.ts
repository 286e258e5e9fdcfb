// What a search costs, as far as it can be counted: the framers' own tests say what it finds.

import test from 'ava';
import { Checksum } from '../../../src/device/checksum.js';
import { FrameSearch } from '../../../src/device/framers/frame-search.js';

const NOBODY = { frame: () => {}, junk: () => {} };

test('in noise in which each byte could begin a long frame none is gone through as a whole', (t) => {
  const checksum = new Checksum({ type: 'crc16-modbus', endian: 'little' });
  let ended = 0;
  const search = new FrameSearch({
    head: 2,
    maxSize: 2002,
    maxJunk: 2000,
    isSure: true,
    checksum,
    registerBefore: () => {
      ended += 1; // asked of each frame that has ended
      return checksum.register.start;
    },
    inspect: (bytes, start) => 1000 + (bytes[start] ?? 0),
    isGood: () => {
      t.fail('gone through');
      return false;
    },
    deliver: () => {},
  });
  const noise = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 24) & 0xff));
  search.begin(noise, 0, 1000, 'bad-checksum');
  t.is(search.push(noise.subarray(1000), NOBODY), undefined);
  t.true(ended > 17_000, `${ended}`);
});
