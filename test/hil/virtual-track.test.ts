import test from 'ava';
import nmea from '../../devices/nmea0183.js';
import { makeGnss } from '../../src/hil/virtual-gnss.js';
import { METRES_PER_DEGREE, type Position, track } from '../../src/hil/virtual-track.js';
import { FakeClock } from '../support/fake-clock.js';

const SQUARE: readonly Position[] = [
  { lat: 47, lon: 8 },
  { lat: 47.001, lon: 8 },
  { lat: 47.001, lon: 8.002 },
  { lat: 47, lon: 8.002 },
];

/** m east and north of the first point. */
function metres({ lat, lon }: Position): { x: number; y: number } {
  return { x: (lon - 8) * METRES_PER_DEGREE * Math.cos((47 * Math.PI) / 180), y: (lat - 47) * METRES_PER_DEGREE };
}

test('a track is gone along at its speed, on the course that the positions show, and begins again', (t) => {
  const at = track(SQUARE, 10);
  const courses = new Set<number>();
  for (let s = 0; s < 200; s += 1) {
    const from = at(s);
    const [a, b] = [metres(from), metres(at(s + 0.01))];
    const step = Math.hypot(b.x - a.x, b.y - a.y);
    t.true(step < 0.1 + 1e-4);
    courses.add(Math.round(from.course));
    if (step < 0.0999) continue; // round a corner
    const course = ((Math.atan2(b.x - a.x, b.y - a.y) * 180) / Math.PI + 360) % 360;
    t.true(Math.abs(course - from.course) < 0.1, `${s}: ${course}, told ${from.course}`);
  }
  t.deepEqual([...courses], [0, 90, 180, 270]);
  t.deepEqual(at(0), { lat: 47, lon: 8, course: 0 });
});

test('a receiver on a track, several times a second, as the driver reads it', async (t) => {
  const clock = new FakeClock();
  const gnss = makeGnss({ clock, track: SQUARE, speed: 20, rate: 5 });
  const driver = nmea.create(nmea.options.parse({}));
  t.is(gnss.everyMs, 200);
  for (let fix = 0; fix < 100; fix += 1) {
    for (const line of gnss.next().split('\n').slice(0, -1)) t.is(driver.decode?.(Buffer.from(line)), undefined);
    const reading = driver.settle?.() as unknown as { position: Position; course: number; speed: number; time: string };
    const expected = track(SQUARE, 20)(fix / 5);
    t.true(
      Math.abs(reading.position.lat - expected.lat) < 2e-6 && Math.abs(reading.position.lon - expected.lon) < 2e-6,
    );
    t.true(Math.abs(reading.course - expected.course) < 0.1);
    t.true(Math.abs(reading.speed - 20) < 0.1);
    t.is(reading.time, new Date(clock.wall()).toISOString());
    await clock.advance(gnss.everyMs);
  }
});
