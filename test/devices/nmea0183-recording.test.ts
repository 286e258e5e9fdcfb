// The driver on a recording, as a user tests a driver of their own: these bytes, with this timing, give these readings.

import { fileURLToPath } from 'node:url';
import test from 'ava';
import nmea0183 from '../../devices/nmea0183.js';
import { decodeRecording } from '../../src/hil/decode-recording.js';

const FILE = fileURLToPath(new URL('../../../test/devices/fixtures/gps-track.ndjson', import.meta.url));

test('a recorded drive gives one reading a second, along its track', async (t) => {
  const { readings, junk } = await decodeRecording(nmea0183, FILE);
  t.deepEqual(junk, []);
  t.deepEqual(
    readings.map((reading) => typeof reading === 'object' && [reading.time, reading.position, reading.course]),
    [
      ['2026-01-01T00:00:00.000Z', { lat: 47.3, lon: 8.5, altitude: 406 }, 0],
      ['2026-01-01T00:00:01.000Z', { lat: 47.30018, lon: 8.5, altitude: 406.1 }, 0],
      ['2026-01-01T00:00:02.000Z', { lat: 47.30036, lon: 8.5, altitude: 406.1 }, 0],
      ['2026-01-01T00:00:03.000Z', { lat: 47.3005383, lon: 8.5, altitude: 406.2 }, 0],
    ],
  );
});
