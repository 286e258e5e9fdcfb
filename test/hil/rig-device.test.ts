import test from 'ava';
import { FaultLine } from '../../src/hil/fault-line.js';
import { RigDevice } from '../../src/hil/rig-device.js';
import { Timeline } from '../../src/hil/rig-timeline.js';
import { FakeClock } from '../support/fake-clock.js';
import { RecordingLine } from '../support/recording-line.js';

const makeDevice = () => {
  const clock = new FakeClock();
  const line = new RecordingLine();
  const timeline = new Timeline(clock);
  const device = new RigDevice({
    name: 'scale',
    line: new FaultLine({ line, clock, random: () => 0.5 }),
    clock,
    timeline,
    fail: (sentence) => new Error(sentence),
  });
  return { clock, line, device, timeline };
};

test('requests that come as lines are answered from a table; what is not in it is not', (t) => {
  const { device, line } = makeDevice();
  device.reply({ tare: 'OK\r\n', read: Buffer.from([2, 3]) });
  line.hear('ta');
  line.hear('re\r\nnonsense\ntoString\nread\n');
  t.deepEqual(line.did, ['OK\r\n', '\x02\x03']);
});

test('answers may come from a function, by line or by whatever came at once; the last ones count', (t) => {
  const { device, line } = makeDevice();
  device.reply((request) => `<${request}>`);
  line.hear('one\ntwo\n');
  device.reply((request) => (request === '\xff\x01' ? Buffer.from([1]) : undefined), { by: 'chunk' });
  line.hear('one\n');
  line.hear('\xff\x01');
  t.deepEqual(line.did, ['<one>', '<two>', '\x01']);
});

test('a script talks until the next one, or until it is hushed, and answers beside the replies', async (t) => {
  const { device, line, clock } = makeDevice();
  device.reply({ who: 'me\n' });
  device.play({ everyMs: 10, next: () => 'a', answer: (request) => `${request}!` });
  await clock.advance(10);
  line.hear('who\n');
  device.play({ everyMs: 10, next: () => 'b' });
  await clock.advance(10);
  line.hear('who\n');
  device.hush();
  await clock.advance(100);
  t.deepEqual(line.did, ['a', 'a', 'me\n', 'who!', 'b', 'b', 'me\n']);
  t.is(clock.pending, 0);
});

test('what the gateway writes can be expected, listened to, and forgotten', async (t) => {
  const { device, line, clock } = makeDevice();
  const chunks: string[] = [];
  const stop = device.onData((chunk) => chunks.push(String(chunk)));
  line.hear('one ');
  t.is(String(await device.expect('one', 10)), 'one');
  line.hear('two ');
  stop();
  device.forget();
  line.hear('three');
  const missing = device.expect('two', 10);
  await clock.advance(10);
  await t.throwsAsync(missing, { message: 'device "scale" expects "two" from the gateway: waited 10 ms in vain' });
  t.deepEqual(chunks, ['one ', 'two ']);
});

test('a closed device tells who waits, and sends nothing more', async (t) => {
  const { device, line, clock } = makeDevice();
  device.play({ everyMs: 10, next: () => 'a' });
  const waiting = device.expect('x', 1000);
  await Promise.all([t.throwsAsync(waiting, { message: /the rig has ended/ }), device.close()]);
  device.send('late');
  await clock.advance(100);
  t.deepEqual(line.did, ['a', '<unplug>', '<close>']);
  t.is(clock.pending, 0);
});

test('every fault is in the timeline', async (t) => {
  const { device, timeline } = makeDevice();
  await device.unplug();
  await device.replug();
  device.silence(5);
  device.garble(0.1);
  device.split(3);
  device.delay(20);
  device.heal();
  await device.flood(10);
  await device.reset();
  const told = timeline.lines().map((line) => line.split('!! ')[1]);
  t.deepEqual(told, [
    'unplugged',
    'plugged in',
    'silent for 5 ms',
    'garbles 10 % of its bytes',
    'split into pieces of 3 bytes',
    'delayed by 20 ms',
    'healed',
    'floods with 10 bytes',
    'reset',
  ]);
});
