// The table of faults: what the gateway shows of a device, on each kind of line, while something is wrong with it, that it is
// well again after, and that its neighbour loses nothing. The board is a simulated Uno with the real StandardFirmata.

import test, { type ExecutionContext } from 'ava';
import { type Rig, type RigDevice, rig, standardFirmataHex } from '../../src/hil/hil.js';
import { FaultSubject, firmataVoice, LATE_MS, lineVoice, type Sight } from '../support/fault-subject.js';

interface Fault {
  readonly inflict: (device: RigDevice, kind: Kind, bench: Rig) => unknown;
  readonly seen: Sight;
  /** What differs for a board. */
  readonly seenOfBoard?: Partial<Sight>;
  /** For what it says meanwhile, where that takes its time. */
  readonly patienceMs?: number;
  readonly patienceOfBoardMs?: number;
}

type Kind = 'serial' | 'tcp' | 'avr';

const SILENT_MS = 300;
const WELL: Sight = { state: 'online', availability: 'online', reading: 'came', reconnects: 0 };

const TABLE: Readonly<Record<string, Fault>> = {
  unplug: {
    inflict: (device) => device.unplug(),
    seen: { state: 'backing-off', availability: 'offline', reading: 'lost', reconnects: 1 },
  },
  silence: {
    inflict: (device) => device.silence(),
    seen: { ...WELL, state: 'silent', reading: 'lost' },
  },
  garble: {
    // Of lines, some must keep their end; of the three bytes of a Firmata message, none may come through.
    inflict: (device, kind) => device.garble(kind === 'avr' ? 1 : 0.3),
    seen: { ...WELL, reading: 'came garbled' },
  },
  split: { inflict: (device) => device.split(7), seen: WELL },
  delay: { inflict: (device) => device.delay(LATE_MS + 20), seen: { ...WELL, reading: 'came late' } },
  flood: {
    // A megabyte in half a second, far more than a serial line of any speed carries. What is said behind it waits, and comes.
    inflict: (device) => device.flood({ bytes: 1_000_000, perSecond: 2_000_000, pattern: `${'flood '.repeat(200)}\n` }),
    seen: WELL,
    patienceMs: 4000,
  },
  reset: {
    // The firmware of a board starts afresh behind a link that stays: what is said to it meanwhile is lost.
    inflict: async (device, kind, bench) => {
      bench.forget('subject/availability');
      await device.reset();
      if (kind === 'avr') return;
      await bench.expect('subject/availability', { state: 'offline' });
      await bench.expect('subject/availability', { state: 'online' });
    },
    seen: { ...WELL, reconnects: 1 },
    seenOfBoard: { state: 'silent', reading: 'lost', reconnects: 0 },
    // Its boot takes two seconds, and it ends in the version, unasked: not to be taken for what it was asked.
    patienceOfBoardMs: 700,
  },
};

const firmware = standardFirmataHex();

faultTest('serial', (bench) => bench.serial('subject'));
faultTest('tcp', (bench) => bench.tcp('subject'));
if (firmware !== undefined) faultTest('avr', (bench) => bench.avr('subject', { hex: firmware, withinMs: 30_000 }));
else test.skip('avr: the table of faults (avrgirl-arduino is not installed)', () => {});

function faultTest(kind: Kind, plugIn: (bench: Rig) => Promise<RigDevice>): void {
  test.serial(
    `${kind}: each fault shows as the table says, the device recovers, its neighbour loses nothing`,
    async (t) => {
      const bench = await rig({
        config: { devices: { subject: subjectConfig(kind), neighbour: { driver: 'lines' } } },
      });
      t.teardown(() => bench.stop());
      const neighbour = talkNextDoor(bench, await bench.tcp('neighbour'));
      const device = await plugIn(bench);
      const voice = kind === 'avr' ? firmataVoice(bench, device) : lineVoice(device);
      const subject = new FaultSubject(bench, 'subject', voice);
      for (const [name, fault] of Object.entries(TABLE)) {
        const wanted = { ...fault.seen, ...(kind === 'avr' && fault.seenOfBoard) };
        const seen = await subject.suffer({
          inflict: () => fault.inflict(device, kind, bench),
          takeBack: () => {
            device.heal();
            return device.replug();
          },
          state: wanted.state,
          patienceMs: (kind === 'avr' ? fault.patienceOfBoardMs : undefined) ?? fault.patienceMs,
        });
        t.log(`${name.padEnd(8)} ${Object.values(seen).join(' | ')}`);
        t.deepEqual(seen, wanted, name);
      }
      await neighbour.mustBeWhole(t);
    },
  );
}

function subjectConfig(kind: Kind): object {
  return {
    driver: kind === 'avr' ? 'raw' : 'lines',
    silent_after: SILENT_MS,
    reconnect: { first: 20, max: 100 },
  };
}

/** Sends numbered lines all the time. */
function talkNextDoor(bench: Rig, device: RigDevice): { mustBeWhole(t: ExecutionContext): Promise<void> } {
  const came: number[] = [];
  let sent = 0;
  bench.onMessage(({ topic, text }) => {
    if (topic === device.name) came.push(Number(text));
  });
  device.play({ everyMs: 5, next: () => `${sent++}\n` });
  return {
    async mustBeWhole(t) {
      device.hush();
      await bench.expect(device.name, String(sent - 1));
      t.deepEqual(
        came,
        Array.from({ length: sent }, (_, i) => i),
      );
      const { state, counters } = await bench.state(device.name);
      t.deepEqual([state, counters.reconnects, counters.junk], ['online', 0, 0]);
      const complaints = bench.log.filter(({ group, level }) => group === device.name && level !== 'info');
      t.deepEqual(complaints, []);
      t.log(`neighbour: ${sent} lines, 0 lost`);
    },
  };
}
