import test from 'ava';
import { IntelHexError, parseIntelHex } from '../../../src/hil/avr/intel-hex.js';
import { fc } from '../../support/properties.js';

const END = ':00000001FF';

/** One record with a right checksum. */
function record(address: number, type: number, ...data: number[]): string {
  const bytes = [data.length, (address >> 8) & 0xff, address & 0xff, type, ...data];
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return `:${Buffer.from([...bytes, -sum & 0xff])
    .toString('hex')
    .toUpperCase()}`;
}

function parse(lines: readonly string[], size = 256): Uint8Array {
  return parseIntelHex(lines.join('\n'), { file: 'blink.hex', size });
}

/** The message of the error that parsing these lines throws. */
function problemOf(lines: readonly string[], size = 256): string {
  try {
    parse(lines, size);
  } catch (error) {
    if (error instanceof IntelHexError) return error.message;
    throw error;
  }
  return 'no error';
}

test('data records fill the image, what they leave out is erased', (t) => {
  const image = parse([record(0, 0, 1, 2), record(4, 0, 9), END], 6);
  t.deepEqual([...image], [1, 2, 0xff, 0xff, 9, 0xff]);
});

test('a record of the specification is read, in both cases of letters and with any line end', (t) => {
  const text = ':10010000214601360121470136007EFE09D2190140\r\n\r\n:00000001ff\r\n';
  const image = parseIntelHex(text, { file: 'spec', size: 0x110 });
  t.is(Buffer.from(image.subarray(0x100)).toString('hex'), '214601360121470136007efe09d21901');
});

test('segment and linear bases move what follows, and start addresses change nothing', (t) => {
  const lines = [
    record(0, 2, 0x10, 0x00), // base 0x10000
    record(0xffff, 0, 1, 2), // the second byte wraps to the start of the segment
    record(0, 4, 0x00, 0x01), // base 0x10000
    record(4, 0, 3),
    record(0, 3, 0, 0, 0, 0),
    record(0, 5, 0, 0, 0, 0),
    END,
  ];
  const image = parse(lines, 0x20000);
  t.deepEqual([image[0x1ffff], image[0x10000], image[0x10004]], [1, 2, 3]);
});

test('after a linear base a record may go over 64 KiB', (t) => {
  const image = parse([record(0, 4, 0, 0), record(0xffff, 0, 1, 2), END], 0x20000);
  t.deepEqual([image[0xffff], image[0x10000]], [1, 2]);
});

const good = record(0, 0, 1, 2);
const REFUSED: Readonly<Record<string, readonly [lines: readonly string[], message: string]>> = {
  'text that is no HEX': [['hello'], 'blink.hex:1: a record begins with ":", found "hello"'],
  'a letter that is no digit': [[good, ':00000001FG'], 'blink.hex:2: a record has hexadecimal digits only'],
  'half a byte': [[':00000001F'], 'blink.hex:1: the record is cut off: 9 digits'],
  'a record that is too short': [[':0000'], 'blink.hex:1: the record is cut off: 4 digits'],
  'fewer bytes than said': [[':02000000FF00'], 'blink.hex:1: the record says 2 data bytes and has 1'],
  'a wrong checksum': [[good, ':00000001FE'], 'blink.hex:2: wrong checksum: given 0xFE, computed 0xFF'],
  'an unknown type': [[record(0, 6)], 'blink.hex:1: unknown record type 0x06'],
  'an end with data': [[record(0, 1, 7)], 'blink.hex:1: a record of type 0x01 has 0 data bytes, this one 1'],
  'a base of one byte': [[record(0, 4, 7)], 'blink.hex:1: a record of type 0x04 has 2 data bytes, this one 1'],
  'two records for one address': [[good, record(1, 0, 5), END], 'blink.hex:2: address 0x0001 is given twice'],
  'an address behind the end': [
    [record(0xff, 0, 1, 2), END],
    'blink.hex:1: address 0x0100 is beyond the flash, which has 256 bytes',
  ],
  'records behind the end record': [[good, END, good], 'blink.hex:3: there is something after the end record'],
  'a file that was cut off': [[good], 'blink.hex:1: the end record (:00000001FF) is missing: is the file complete?'],
  'an empty file': [[''], 'blink.hex:1: the end record (:00000001FF) is missing: is the file complete?'],
  'a file without data': [[END], 'blink.hex:1: there is no data in this file'],
};

for (const [what, [lines, message]] of Object.entries(REFUSED)) {
  test(`refused, with file and line: ${what}`, (t) => {
    t.is(problemOf(lines), message);
  });
}

test('any image comes back from any split into records, in any order', (t) => {
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 32 });
  fc.assert(
    fc.property(fc.array(chunk, { minLength: 1, maxLength: 20 }), fc.infiniteStream(fc.nat()), (chunks, order) => {
      const image = Uint8Array.from(chunks.flatMap((bytes) => [...bytes]));
      let address = 0;
      const lines = chunks.map((bytes) => {
        const line = { line: record(address, 0, ...bytes), key: order.next().value ?? 0 };
        address += bytes.length;
        return line;
      });
      const shuffled = lines.sort((a, b) => a.key - b.key).map(({ line }) => line);
      t.deepEqual([...parse([...shuffled, END], image.length)], [...image]);
    }),
  );
});

test('a change of any single character of a good file is refused, unless it is the case of a letter', (t) => {
  const text = [record(0, 0, 1, 2, 0xab), record(8, 0, 3), END].join('\n');
  const character = fc.constantFrom(...'0123456789ABCDEF:G \n');
  fc.assert(
    fc.property(fc.nat(text.length - 1), character, (at, other) => {
      fc.pre(text[at] !== other && text[at] !== '\n');
      t.throws(() => parse((text.slice(0, at) + other + text.slice(at + 1)).split('\n')), {
        instanceOf: IntelHexError,
      });
    }),
  );
});

test('no text whatever does anything but parse or be refused', (t) => {
  const digits = fc.string({ unit: fc.constantFrom(...':0123456789abcdef\n\r '), maxLength: 200 });
  fc.assert(
    fc.property(fc.oneof(fc.string(), digits), (text) => {
      t.notThrows(() => problemOf([text]));
    }),
  );
});
