import test from 'ava';
import { makeFramer } from '../../../src/device/make-framer.js';
import { cut, framerContract, framing } from '../../contracts/framer.js';

const COBS = { type: 'cobs', max_length: 16 };

framerContract({ name: 'cobs', framing: COBS, alphabet: [0, 1, 2, 3], maxHeld: 17 });
framerContract({
  name: 'cobs over several blocks',
  framing: { type: 'cobs', max_length: 600 },
  alphabet: [1, 0xff],
  maxHeld: 603,
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

// Payload and wire, from the paper's rules; the long ones sit at the edges of a full block.
const VECTORS: readonly (readonly [string, number[], number[]])[] = [
  ['nothing', [], [1, 0]],
  ['a zero', [0], [1, 1, 0]],
  ['two zeros', [0, 0], [1, 1, 1, 0]],
  ['a zero between others', [0, 0x11, 0], [1, 2, 0x11, 1, 0]],
  ['a zero in the middle', [0x11, 0x22, 0, 0x33], [3, 0x11, 0x22, 2, 0x33, 0]],
  ['no zero', [0x11, 0x22, 0x33, 0x44], [5, 0x11, 0x22, 0x33, 0x44, 0]],
  ['trailing zeros', [0x11, 0, 0, 0], [2, 0x11, 1, 1, 1, 0]],
  ['254 bytes', range(1, 254), [0xff, ...range(1, 254), 0]],
  ['a zero and 254 bytes', [0, ...range(1, 254)], [1, 0xff, ...range(1, 254), 0]],
  ['255 bytes', range(1, 255), [0xff, ...range(1, 254), 2, 0xff, 0]],
  ['254 bytes and a zero', [...range(2, 255), 0], [0xff, ...range(2, 255), 1, 1, 0]],
  ['253 bytes, a zero, a byte', [...range(3, 255), 0, 1], [0xfe, ...range(3, 255), 2, 1, 0]],
];

for (const [name, payload, wire] of VECTORS) {
  test(`${name} is coded as in the paper`, (t) => {
    const framer = makeFramer(framing({ type: 'cobs' }));
    t.deepEqual([...framer.wrap(Buffer.from(payload))], wire);
    t.deepEqual(cut({ type: 'cobs' }, [Buffer.from(wire)]), [`frame ${Buffer.from(payload).toString('latin1')}`]);
  });
}

test('zeros in a row hold no frame', (t) => {
  t.deepEqual(cut(COBS, ['\0\0\x02a\0\0\x02b\0']), ['frame a', 'frame b']);
});

test('a code that points beyond the frame makes it junk', (t) => {
  t.deepEqual(cut(COBS, ['\x05ab\0\x02b\0']), ['bad-escape \x05ab', 'frame b']);
});

test('max_length counts the payload', (t) => {
  t.deepEqual(cut(COBS, [`\x11${'a'.repeat(16)}\0\x12${'a'.repeat(17)}\0`]), [
    `frame ${'a'.repeat(16)}`,
    `too-long \x12${'a'.repeat(15)} +2`,
  ]);
});
