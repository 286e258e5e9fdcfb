import test from 'ava';
import { framingSchema } from '../../src/config/framing-schema.js';
import { defineDriver, reject, z } from '../../src/device/driver.js';
import { command, groupRig, lineFraming } from '../support/group-rig.js';

const raw = framingSchema.parse({ type: 'raw' });

test('what is read goes up, in order, and is counted', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.send('one\ntwo\nth');
  rig.far.send('ree\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['one', 'two', 'three']);
  const { bytesIn, frames, readings, junk } = rig.device.counters;
  t.deepEqual({ bytesIn, frames, readings, junk }, { bytesIn: 14, frames: 3, readings: 3, junk: 0 });
  t.true((await rig.end()).ended);
});

test('what was read before the loss is decoded before the partial frame is reported', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.send('whole\nhal');
  rig.far.unplug();
  await rig.settle();
  const kinds = rig.relay.taken.flatMap((each) => (['readings', 'dead-letter'].includes(each.kind) ? [each.kind] : []));
  t.deepEqual(kinds, ['readings', 'dead-letter']);
  t.deepEqual(rig.relay.deadLetters, ['partial']);
  await rig.clock.advance(1000);
  rig.far.send('f\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['whole', 'f'], 'the halves of two links are not joined');
  await rig.end();
});

test('bytes of which no frame ever comes are told once, with what they look like', async (t) => {
  const rig = groupRig();
  await rig.settle();
  const told = (): number => rig.log.matching('not one frame').length;
  rig.far.send(`weight 12.34 kg\r`.repeat(1000));
  await rig.settle();
  t.is(told(), 0, 'it may be a long one');
  rig.far.send('\x00\xff weight'.repeat(100));
  await rig.settle();
  t.is(told(), 1);
  rig.far.send(`weight 12.34 kg\r`.repeat(2000));
  await rig.settle();
  t.is(told(), 1);
  await rig.end();
});

test('so are few bytes, if they come for a minute; where there has been a frame nothing is said', async (t) => {
  for (const first of ['', 'one\n']) {
    const rig = groupRig();
    await rig.settle();
    rig.far.send(first);
    for (let second = 0; second <= 60; second += 1) {
      rig.far.send('.');
      await rig.clock.advance(1000);
    }
    await rig.settle();
    t.is(rig.log.matching(/61 bytes have come and not one frame.*It began with "\.{32}"/).length, first === '' ? 1 : 0);
    await rig.end();
  }
});

test('a stray byte long before the first frame, which comes in pieces, is no reason to say anything', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.send('\x00');
  for (let hour = 0; hour < 2; hour += 1) {
    await rig.clock.advance(3_600_000);
    for (const piece of ['4006', '3813', '3393']) {
      rig.far.send(piece);
      await rig.clock.advance(16);
    }
  }
  rig.far.send('1\n');
  await rig.settle();
  t.is(rig.relay.texts.length, 1);
  t.is(rig.log.matching('not one frame').length, 0);
  await rig.end();
});

test('a full way up pauses a TCP link and resumes it', async (t) => {
  const rig = groupRig({ settings: { queue_size: 1024 } });
  await rig.settle();
  rig.relay.fill();
  const sent: string[] = [];
  for (let n = 0; n < 5000 && !rig.far.isPaused; n += 1) {
    const line = `line ${n} ${'x'.repeat(200)}`;
    sent.push(line);
    rig.far.send(`${line}\n`);
    await rig.settle();
  }
  t.true(rig.far.isPaused);
  t.true(sent.length < 1000, 'bounded');
  rig.relay.empty();
  await rig.settle();
  t.false(rig.far.isPaused);
  rig.far.send('last\n');
  await rig.settle();
  t.deepEqual(rig.relay.texts, [...sent, 'last']);
  t.is(rig.device.counters.droppedReadings, 0);
  t.true((await rig.end()).ended);
});

test('a link that comes while the old one was paused is paused in its turn', async (t) => {
  const rig = groupRig({ settings: { queue_size: 1024 } });
  await rig.settle();
  rig.relay.fill();
  const block = `${'y'.repeat(100)}\n`.repeat(700);
  let blocks = 0;
  const sendUntilPaused = async (): Promise<void> => {
    for (let n = 0; n < 10 && !rig.far.isPaused; n += 1) {
      rig.far.send(block);
      blocks += 1;
      await rig.settle();
    }
  };
  await sendUntilPaused();
  t.true(rig.far.isPaused);
  rig.far.unplug();
  await rig.clock.advance(1000);
  t.is(rig.far.opens, 2, 'a full way up does not keep the device from coming back');
  t.is(rig.state, 'online');
  await sendUntilPaused();
  t.true(rig.far.isPaused, 'else the memory would have no bound');
  rig.relay.empty();
  await rig.settle();
  t.false(rig.far.isPaused);
  t.is(rig.relay.texts.length, blocks * 700);
  await rig.end();
});

test('a full way up makes a serial line drop its oldest readings, counted', async (t) => {
  const rig = groupRig({ canPause: false, settings: { queue_size: 2048 } });
  const told: string[] = [];
  rig.registry.watch(({ kind, group }) => void told.push(`${kind} ${group}`));
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; n < 100; n += 1) {
    rig.far.send(`${n} ${'z'.repeat(100)}\n`);
    await rig.settle();
  }
  rig.relay.empty();
  await rig.settle();
  const numbers = rig.relay.texts.map((text) => Number(text.split(' ')[0]));
  const { droppedReadings } = rig.device.counters;
  t.is(numbers.length + droppedReadings, 100);
  t.true(droppedReadings > 50);
  t.is(numbers.at(-1), 99, 'the newest is kept');
  t.deepEqual(
    numbers.slice(1),
    [...numbers.slice(1)].sort((a, b) => a - b),
  );
  t.is(rig.log.matching('the oldest are dropped').length, 1);
  t.true(told.includes('changed scale'), 'so that bridge/devices shows it soon');
  await rig.end();
});

test('bytes that a serial line loses before framing leave a hole: neither what stands around it nor a tail is a reading, and it is told', async (t) => {
  const rig = groupRig({ canPause: false, settings: { queue_size: 64 * 1024 * 1024 } });
  const told: string[] = [];
  rig.registry.watch(({ kind, group }) => void told.push(`${kind} ${group}`));
  await rig.settle();
  const block = `${'x'.repeat(1023)}\n`.repeat(64);
  for (let hole = 1; hole <= 2; hole += 1) {
    for (let n = 0; n < 15; n += 1) rig.far.send(block);
    rig.far.send('weight 12');
    rig.far.send(block); // two chunks, one hole
    rig.far.send(block);
    rig.far.send('3.4 kg\n124 kg\n');
    await rig.clock.advance(1000);
    t.is(rig.device.counters.droppedBytes, hole * 2 * block.length);
    t.is(rig.device.counters.junk, hole * 2);
  }
  t.deepEqual(new Set(rig.relay.deadLetters), new Set(['partial']));
  t.deepEqual(
    rig.relay.texts.filter((text) => !text.startsWith('x')),
    ['124 kg', '124 kg'],
  );
  t.is(rig.log.matching('faster than they are decoded').length, 1);
  t.is(told.filter((what) => what === 'changed scale').length, 2, 'so that bridge/devices shows it soon');
  await rig.end();
});

test('on a serial line a reading too large for the room left takes that room from older ones', async (t) => {
  const rig = groupRig({ canPause: false, framing: raw, settings: { queue_size: 2000 } });
  await rig.settle();
  rig.relay.fill();
  for (const size of [100, 600, 600, 600, 1900]) {
    rig.far.send(Buffer.alloc(size, 65));
    await rig.settle();
  }
  t.is(rig.device.group.view().threads.find(({ label }) => label === 'receive')?.queued, 0, 'nobody waits for room');
  rig.relay.empty();
  await rig.settle();
  t.deepEqual(
    rig.relay.texts.map(({ length }) => length),
    [100, 1900],
  );
  t.is(rig.device.counters.droppedReadings, 3);
  await rig.end();
});

test('what is left of a serial line after its loss does not wait for room either', async (t) => {
  const rig = groupRig({ canPause: false, settings: { queue_size: 300 } });
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; n < 20; n += 1) rig.far.send(`${'w'.repeat(50)}\n`);
  rig.far.unplug();
  await rig.clock.advance(1000);
  t.is(rig.far.opens, 2);
  await rig.end();
});

test('a pause of the line ends a partial frame, whenever this thread gets to it', async (t) => {
  const rig = groupRig({ driver: gatherDriver, settings: { queue_size: 100 } });
  await rig.settle();
  rig.far.send('a\n');
  await rig.clock.advance(40);
  rig.far.send('b\n');
  await rig.clock.advance(99);
  t.deepEqual(rig.relay.texts, []);
  await rig.clock.advance(2);
  t.deepEqual(rig.relay.texts, ['{"seen":"ab"}']);
  rig.far.send('c\n');
  await rig.clock.advance(500);
  t.deepEqual(rig.relay.texts, ['{"seen":"ab"}', '{"seen":"c"}']);
  t.is(rig.clock.pending, 0, 'no timer is left behind');
  await rig.end();
});

test('bytes that came together stay together, though the way up was full between them', async (t) => {
  const rig = groupRig({ driver: gatherDriver, settings: { queue_size: 200 } });
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; n < 6; n += 1) {
    rig.far.send(`${'p'.repeat(60)}\n`);
    await rig.clock.advance(200); // six readings: the way up is full now
  }
  rig.far.send('a\n');
  await rig.clock.advance(10);
  rig.far.send('b\n');
  await rig.clock.advance(60_000);
  rig.relay.empty();
  await rig.clock.advance(200);
  t.is(rig.relay.texts.at(-1), '{"seen":"ab"}');
  t.is(rig.relay.texts.length, 7);
  await rig.end();
});

test('a reading bears the time at which its bytes came, not that at which there was room', async (t) => {
  const rig = groupRig({ framing: raw, settings: { queue_size: 100 } });
  await rig.settle();
  rig.relay.fill();
  const times: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    times.push(rig.clock.wall());
    rig.far.send(Buffer.alloc(80));
    await rig.clock.advance(1000);
  }
  rig.relay.empty();
  await rig.settle();
  t.deepEqual(
    rig.relay.readings.map(({ at }) => at),
    times,
  );
  await rig.end();
});

test('what comes while the thread ends is still read, and the partial frame is reported last', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.send('one\ntwo\nthr');
  const { ended } = await rig.end();
  t.true(ended);
  t.deepEqual(rig.relay.texts, ['one', 'two']);
  t.deepEqual(rig.relay.deadLetters, ['partial']);
});

test('the end of intake takes what a paused link held back', async (t) => {
  const rig = groupRig({ settings: { queue_size: 1024 } });
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; !rig.far.isPaused; n += 1) {
    rig.far.send(`${n} ${'x'.repeat(4000)}\n`);
    await rig.settle();
  }
  rig.far.send('behind the pause\n');
  rig.device.group.close('test');
  await rig.settle();
  rig.relay.empty();
  t.true((await rig.end()).ended);
  t.is(rig.relay.texts.at(-1), 'behind the pause');
});

test('an abort while the way up is full ends the threads at once and counts what is lost', async (t) => {
  const rig = groupRig({ settings: { queue_size: 200 } });
  await rig.settle();
  rig.relay.fill();
  for (let n = 0; n < 20; n += 1) {
    rig.far.send(`${'v'.repeat(80)}\n`);
    await rig.settle();
  }
  const { ended, stuck } = await rig.end(3000);
  t.false(ended);
  t.true(stuck.includes('receive'));
  await rig.settle();
  t.deepEqual(
    rig.device.group.view().threads.map(({ state }) => state),
    ['ended', 'ended', 'ended'],
  );
  t.deepEqual(rig.closes, [1]);
});

test('dead letters are one a second, and the others are counted into the next', async (t) => {
  const picky = defineDriver({
    kind: 'framed',
    summary: '',
    options: z.unknown(),
    create: () => ({ decode: (frame) => reject(`not ${frame.toString()}`) }),
  });
  const rig = groupRig({ driver: picky });
  await rig.settle();
  for (let n = 0; n < 10; n += 1) rig.far.send(`${n}\n`);
  await rig.clock.advance(1000);
  rig.far.send('last\n');
  await rig.settle();
  const letters = rig.relay.taken.filter((each) => each.kind === 'dead-letter');
  t.deepEqual(
    letters.map(({ reason, suppressed }) => [reason, suppressed]),
    [
      ['rejected: not 0', 0],
      ['rejected: not last', 9],
    ],
  );
  t.is(rig.device.counters.junk, 11);
  await rig.end();
});

test('counters tell what a restarted driver has done together with the one before', async (t) => {
  const rig = groupRig();
  await rig.settle();
  rig.far.send('one\n');
  await rig.settle();
  rig.device.restart('asked for');
  await rig.clock.advance(10);
  rig.far.send('two\n');
  rig.device.deliver(command());
  await rig.settle();
  t.is(rig.device.counters.frames, 2);
  await rig.end();
});

test('a fixed junk line is bounded by max_length', async (t) => {
  const rig = groupRig({ framing: lineFraming({ max_length: '64B' }) });
  await rig.settle();
  rig.far.send(`${'j'.repeat(1000)}\nok\n`);
  await rig.settle();
  t.deepEqual(rig.relay.texts, ['ok']);
  t.deepEqual(rig.relay.deadLetters, ['too-long']);
  await rig.end();
});

/** Gathers lines until the line is quiet for 100 ms. */
const gatherDriver = defineDriver({
  kind: 'framed',
  summary: '',
  options: z.unknown(),
  create: () => {
    let seen = '';
    return {
      settleMs: 100,
      decode(frame) {
        seen += frame.toString();
        return undefined;
      },
      settle() {
        const reading = { seen };
        seen = '';
        return reading;
      },
    };
  },
});
