import test from 'ava';
import { Room } from '../../src/spool/room.js';

const MAX_BYTES = 2 * 1024 ** 2;

test('what does not fit into an empty spool is known beforehand, to the byte: nothing has to go for it in vain', (t) => {
  const room = new Room(MAX_BYTES);
  let most = 0;
  for (let bytes = MAX_BYTES / 2; bytes <= MAX_BYTES; bytes += 1) {
    if (room.couldFit(bytes) !== room.fits(bytes)) t.fail(`${bytes} bytes`);
    if (room.fits(bytes)) most = bytes;
  }
  t.true(most > MAX_BYTES / 2 && most < MAX_BYTES);
});
