import test from 'ava';
import nmea from '../../devices/nmea0183.js';
import { makeGnss, nmeaSentence } from '../../src/hil/virtual-gnss.js';
import { FakeClock } from '../support/fake-clock.js';

const START = Date.UTC(2026, 4, 17, 9, 8, 7, 650);

/** The reading that the driver makes of one second of the receiver. */
function read(text: string): Record<string, unknown> {
  const driver = nmea.create(nmea.options.parse({ require_checksum: true }));
  for (const line of text.split('\n').slice(0, -1)) {
    const decoded = driver.decode?.(Buffer.from(line));
    if (decoded !== undefined) throw new Error(`${line}: ${JSON.stringify(decoded)}`);
  }
  return driver.settle?.() as Record<string, unknown>;
}

test('a sentence carries the checksum of the standard', (t) => {
  t.is(
    nmeaSentence('GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,'),
    '$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n',
  );
});

test('the driver reads from the sentences the place, speed, course and time that the receiver meant', (t) => {
  const clock = new FakeClock({ start: START });
  const reading = read(makeGnss({ clock, centre: { lat: -33.9, lon: -18.4 }, radius: 100, speed: 5 }).next());
  t.is(reading.time, '2026-05-17T09:08:07.650Z');
  t.like(reading, {
    position: { lat: -33.8991017, lon: -18.4, altitude: 406 },
    fix: { quality: 'gps', mode: '3d' },
    speed: 5,
    course: 90,
    satellites: { used: 7, in_view: 8, hdop: 0.9 },
  });
});

test('the boat goes round in a circle at its speed', async (t) => {
  const clock = new FakeClock({ start: START });
  const gnss = makeGnss({ clock, centre: { lat: 0, lon: 0 }, radius: 1000, speed: 10 });
  const metres = async (): Promise<{ x: number; y: number }> => {
    const { lat, lon } = read(gnss.next()).position as { lat: number; lon: number };
    await clock.advance(gnss.everyMs);
    return { x: lon * 111_320, y: lat * 111_320 };
  };
  for (let before = await metres(), i = 0; i < 700; i += 1) {
    const after = await metres();
    const step = Math.hypot(after.x - before.x, after.y - before.y);
    t.true(Math.abs(step - 10) < 0.4, `second ${i}: ${step} m`);
    t.true(Math.abs(Math.hypot(after.x, after.y) - 1000) < 0.4);
    before = after;
  }
});

test('a second of sentences fits a line of 4800 baud, and each the 82 characters of the standard', async (t) => {
  const clock = new FakeClock({ start: START });
  const gnss = makeGnss({ clock });
  for (let i = 0; i < 120; i += 1) {
    const text = gnss.next();
    t.true(text.length < 480, text);
    for (const line of text.split('\n')) t.true(line.length <= 81, line);
    await clock.advance(1000);
  }
});
