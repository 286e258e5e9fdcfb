import test from 'ava';
import nmea from '../../devices/nmea0183.js';
import { decodeAll, decoderOf, driverContract } from '../contracts/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { driverFixture } from '../support/driver-fixture.js';

const FIXTURES = ['gps-rmc-first.txt', 'multi-gnss-5hz.txt', 'cold-start.txt', 'gga-first-mixed-bus.txt'];

for (const file of FIXTURES) driverContract(nmea, { name: file, stream: driverFixture(file) });

/** `body` with `$`, checksum and CR LF. */
function sentence(body: string): string {
  let xor = 0;
  for (const char of body) xor ^= char.charCodeAt(0);
  return `$${body}*${xor.toString(16).padStart(2, '0')}\r\n`;
}

const read = (text: string, options?: Record<string, unknown>) =>
  decodeAll(nmea, [Buffer.from(text, 'latin1')], options);
const readBodies = (...bodies: string[]) => read(bodies.map(sentence).join('')).objects;

test('sentences of one time are one reading, the next time begins another', (t) => {
  const { objects, junked } = decodeAll(nmea, [driverFixture('gps-rmc-first.txt')]);
  t.deepEqual(junked, []);
  t.deepEqual(objects, [
    {
      time: '2002-12-09T09:27:25.000Z',
      position: { lat: 47.2852332, lon: 8.565265, altitude: 499.6 },
      fix: { quality: 'gps', mode: '3d' },
      speed: 0.002,
      course: 77.52,
      satellites: { used: 8, in_view: 10, hdop: 1.01 },
    },
    {
      time: '2002-12-09T09:27:26.000Z',
      position: { lat: 47.2852395, lon: 8.5652537, altitude: 499.5 },
      fix: { quality: 'dgps' },
      speed: 1,
      course: 77.6,
      satellites: { used: 9, hdop: 0.98 },
    },
  ]);
});

test('talkers are merged, and a burst without a pause is cut where its first sentence comes again', (t) => {
  const { objects, junked } = decodeAll(nmea, [driverFixture('multi-gnss-5hz.txt')]);
  t.deepEqual(junked, []);
  t.deepEqual(objects, [
    {
      time: '2023-12-31T23:59:59.800Z',
      position: { lat: -33.8653567, lon: -151.206645, altitude: -3.2 },
      fix: { quality: 'rtk', mode: '3d' },
      speed: 5.144,
      course: 270,
      satellites: { used: 17, in_view: 10, hdop: 0.55 },
    },
    {
      time: '2024-01-01T00:00:00.000Z',
      position: { lat: -33.8653583, lon: -151.2066433, altitude: -3.1 },
      fix: { quality: 'rtk-float' },
      speed: 10,
      satellites: { used: 17, hdop: 0.55 },
    },
  ]);
});

test('a receiver without a fix says so and gives no position; two GSA that are alike split nothing', (t) => {
  t.deepEqual(decodeAll(nmea, [driverFixture('cold-start.txt')]).objects, [
    { fix: { quality: 'none', mode: 'none' }, satellites: { used: 0, in_view: 0 } },
    { time: '2024-06-15T12:00:01.000Z', fix: { quality: 'none' }, satellites: { used: 0 } },
  ]);
});

test('AIS, proprietary and unknown sentences are passed over without a word', (t) => {
  const { objects, junked } = decodeAll(nmea, [driverFixture('gga-first-mixed-bus.txt')]);
  t.deepEqual(junked, []);
  t.deepEqual(objects, [
    {
      time: '1998-05-12T16:12:29.487Z',
      position: { lat: 37.3874583, lon: -121.97236, altitude: 9 },
      fix: { quality: 'gps', mode: '3d' },
      speed: 0.067,
      course: 309.62,
      satellites: { used: 7, hdop: 1 },
    },
  ]);
});

test('checksums printed in receiver manuals are accepted', (t) => {
  const known = [
    '$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47',
    '$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A',
    '$GPVTG,054.7,T,034.4,M,005.5,N,010.2,K*48',
  ];
  const { objects, junked } = read(known.join('\n').concat('\n'));
  t.deepEqual(junked, []);
  t.deepEqual(objects, [
    {
      time: '1994-03-23T12:35:19.000Z',
      position: { lat: 48.1173, lon: 11.5166667, altitude: 545.4 },
      fix: { quality: 'gps' },
      speed: 2.833,
      course: 54.7,
      satellites: { used: 8, hdop: 0.9 },
    },
  ]);
});

test('a wrong checksum is rejected with both values', (t) => {
  const { objects, reasons } = read('$GPVTG,054.7,T,034.4,M,005.5,N,010.3,K*48\r\n');
  t.deepEqual(objects, []);
  t.deepEqual(reasons, ['rejected: GPVTG: checksum 48, computed 49']);
});

test('a missing checksum is rejected, unless require_checksum is off', (t) => {
  const line = '$GPVTG,054.7,T,034.4,M,005.5,N,010.2,K\r\n';
  t.deepEqual(read(line).reasons, ['rejected: GPVTG: no checksum']);
  t.deepEqual(read(line, { require_checksum: false }).objects, [{ speed: 2.833, course: 54.7 }]);
  const wrong = read('$GPVTG,054.7,T,034.4,M,005.5,N,010.2,K*00\r\n', { require_checksum: false });
  t.deepEqual(wrong.reasons, ['rejected: GPVTG: checksum 00, computed 48'], 'one that is there must be right');
});

test('a line that is no sentence is rejected with a snippet; blank lines are not', (t) => {
  const { reasons } = read('\r\n5.2,N*33\r\n\xff\x00\r\n');
  t.deepEqual(reasons, ['rejected: not an NMEA sentence: "5.2,N*33"', 'rejected: not an NMEA sentence: "ÿ\\u0000"']);
});

test('a torn sentence in front of a whole one does not spoil it', (t) => {
  t.deepEqual(read(`$GPGGA,1235${sentence('GPVTG,10.0,T,,M,,N,36.0,K')}`).objects, [{ speed: 10, course: 10 }]);
});

test('a sentence longer than the 82 characters of the standard is read', (t) => {
  const long = `GPGGA,123519,4807.0380000000,N,01131.0000000000,E,1,08,0.9,545.4,M,46.9,M,,${'0'.repeat(60)}`;
  t.like(readBodies(long)[0], { position: { lat: 48.1173, lon: 11.5166667, altitude: 545.4 } });
});

test('malformed fields are left out, the others are kept', (t) => {
  const bodies = [
    'GPGGA,996199,4860.000,N,01131.000,E,9,xx,-,1e3,M,,M,,',
    'GPRMC,,A,9100.000,N,00000.000,E,fast,361.0,310224,,',
    'GPZDA,120000.00,31,02,2024,,',
    'GPGLL,4807.038,X,01131.000,E,120000,A',
    'GPVTG,12.0,T,,M,,N,abc,K',
  ];
  t.deepEqual(readBodies(...bodies), [{ course: 12 }]);
});

test('zero is not minus zero, and the poles and the date line are in range', (t) => {
  t.deepEqual(readBodies('GPGLL,0000.000,S,00000.000,W,,A')[0], { position: { lat: 0, lon: 0 } });
  t.deepEqual(readBodies('GPGLL,9000.000,S,18000.000,W,,A')[0], { position: { lat: -90, lon: -180 } });
});

test('one time written in two ways is one time', (t) => {
  t.is(readBodies('GPGGA,123519,,,,,1,08,,,M,,M,,', 'GPZDA,123519.00,23,03,1994,,').length, 1);
});

test('satellites used are counted from GSA where there is no GGA', (t) => {
  const bodies = ['GPGSA,A,3,01,02,03,,,,,,,,,,1.8,1.2,1.5', 'GLGSA,A,3,65,66,,,,,,,,,,,1.8,1.2,1.5'];
  t.deepEqual(readBodies(...bodies), [{ fix: { mode: '3d' }, satellites: { used: 5, hdop: 1.2 } }]);
});

test('the mode indicator tells the quality where there is no GGA; void data is left out', (t) => {
  t.deepEqual(readBodies('GNRMC,120000,A,,,,,,,,,,D'), [{ fix: { quality: 'dgps' } }]);
  t.deepEqual(readBodies('GNGLL,4807.038,N,01131.000,E,120000,V,N', 'GNVTG,1.0,T,,M,1.0,N,1.0,K,N'), [
    { fix: { quality: 'none' } },
  ]);
});

test('a quiet line ends the epoch, and nothing is told twice', (t) => {
  const sink = new CollectingSink();
  const decoder = decoderOf(nmea, sink);
  t.is(decoder.settleMs, 150);
  decoder.push(Buffer.from(sentence('GPVTG,10.0,T,,M,,N,36.0,K')));
  t.deepEqual(sink.objects, []);
  decoder.settle();
  decoder.flush('end');
  t.deepEqual(sink.objects, [{ speed: 10, course: 10 }]);
});

function sent(text: string): string {
  const encoded = decoderOf(nmea, new CollectingSink()).encodeCommand({ verb: 'set', payload: Buffer.from(text) });
  return encoded.ok ? encoded.payloads.join('') : encoded.reason;
}

test('set gets what a sentence lacks', (t) => {
  t.is(sent('PMTK220,200'), '$PMTK220,200*2C\r\n');
  t.is(sent('$PMTK220,200'), '$PMTK220,200*2C\r\n');
  t.is(sent('$PMTK220,200*2c\r\n'), '$PMTK220,200*2C\r\n');
});

test('set with a wrong checksum, or with no sentence, is refused', (t) => {
  t.is(sent('$PMTK220,200*00'), 'checksum 00, computed 2C');
  for (const text of ['', 'hello', 'PMTK220,2\r\n$PMTK104', 'PMTK220,200*2', 'PMTK\x00,1']) {
    t.regex(sent(text), /^expected a sentence such as PMTK220,200, got "/);
  }
});
