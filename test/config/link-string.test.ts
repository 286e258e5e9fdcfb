import test from 'ava';
import { type LinkInput, linkSchema } from '../../src/config/link-schema.js';
import { formatLink, parseLink } from '../../src/config/link-string.js';
import { fc } from '../support/properties.js';

const GOOD: Readonly<Record<string, object>> = {
  'serial:/dev/ttyUSB0?baud_rate=9600': { type: 'serial', path: '/dev/ttyUSB0', baud_rate: 9600 },
  '/dev/ttyS1': { type: 'serial', path: '/dev/ttyS1' },
  '/dev/serial/by-id/usb-FTDI_x-if00?rtscts=true&parity=even': {
    type: 'serial',
    path: '/dev/serial/by-id/usb-FTDI_x-if00',
    rtscts: true,
    parity: 'even',
  },
  'usb:0403:6001': { type: 'usb', id: '0403:6001' },
  'usb:0403:6001?serial=0042': { type: 'usb', id: '0403:6001', serial: '0042' },
  'tcp://10.0.0.5:4001?idle_timeout=30s': { type: 'tcp', host: '10.0.0.5', port: 4001, idle_timeout: '30s' },
  'tcp://[::1]:4001': { type: 'tcp', host: '::1', port: 4001 },
  'tcp-listen://0.0.0.0:7000?max_connections=10&peer={n}': {
    type: 'tcp-listen',
    host: '0.0.0.0',
    port: 7000,
    max_connections: 10,
    peer: '{n}',
  },
};

for (const [text, link] of Object.entries(GOOD)) {
  test(`reads the link ${text}`, (t) => {
    t.deepEqual(parseLink(text), { ok: true, link } as never);
    t.true(linkSchema.safeParse(link).success);
  });
}

const BAD: Readonly<Record<string, string>> = {
  '': 'a link: serial:/dev/..., usb:VID:PID, tcp://host:port or tcp-listen://host:port',
  ttyUSB0: 'a link: serial:/dev/..., usb:VID:PID, tcp://host:port or tcp-listen://host:port',
  'serial:': 'serial:PATH, such as serial:/dev/ttyUSB0',
  'serial:%zz': 'serial:PATH, such as serial:/dev/ttyUSB0',
  'usb:': 'usb:VID:PID, such as usb:0403:6001',
  'tcp:h:1': 'tcp://host:port (IPv6: tcp://[::1]:port)',
  'tcp://h': 'tcp://host:port (IPv6: tcp://[::1]:port)',
  'tcp://::1:80': 'tcp://host:port (IPv6: tcp://[::1]:port)',
  'tcp-listen://:80': 'tcp-listen://host:port (IPv6: tcp-listen://[::1]:port)',
  'tcp://h:1?x': 'key=value after the "?", not "x"',
  'tcp://h:1?x=%zz': 'key=value after the "?", not "x=%zz"',
  'tcp://h:1?port=2': '"port" to be said only once',
  'tcp://h:1?a=1&a=2': '"a" to be said only once',
};

for (const [text, expected] of Object.entries(BAD)) {
  test(`refuses the link "${text}"`, (t) => {
    t.deepEqual(parseLink(text), { ok: false, expected });
  });
}

const word = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/\p{Cs}/u.test(text));
const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
const line = {
  baud_rate: fc.integer({ min: 50, max: 4_000_000 }),
  parity: fc.constantFrom('none', 'even', 'odd'),
  rtscts: fc.boolean(),
  idle_timeout: fc.oneof(fc.constantFrom('30s', '1.5m'), fc.integer({ min: 0, max: 100_000 })),
};
const link = fc.oneof(
  fc.record({ type: fc.constant('serial'), path: word, ...line }, { requiredKeys: ['type', 'path'] }),
  fc.record(
    { type: fc.constant('usb'), id: fc.constant('0403:6001'), serial: word, ...line },
    { requiredKeys: ['type', 'id'] },
  ),
  fc.record({ type: fc.constant('tcp'), host, port: fc.integer({ min: 1, max: 65535 }) }),
  fc.record({ type: fc.constant('tcp-listen'), host, port: fc.integer({ min: 0, max: 65535 }), peer: word }),
) as fc.Arbitrary<LinkInput>; // the union of the records, whose literals fc.constant widens

test('a link written as a string and read again is the same link', (t) => {
  fc.assert(
    fc.property(link, (value) => {
      t.deepEqual(parseLink(formatLink(value)), { ok: true, link: value } as never);
    }),
    { numRuns: 500 },
  );
});

test('no text makes parseLink throw', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => typeof parseLink(text).ok === 'boolean'));
  t.pass();
});
