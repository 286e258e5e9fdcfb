import test from 'ava';
import { VirtualDevice } from '../../src/hil/virtual-device.js';
import type { VirtualLine } from '../../src/hil/virtual-line.js';
import { FakeClock } from '../support/fake-clock.js';

/** A line that remembers what was said on it. */
class RecordingLine implements VirtualLine {
  readonly link = 'tcp://127.0.0.1:1';
  readonly sent: string[] = [];
  isClosed = false;
  say: (chunk: Buffer) => void = () => {};

  send(bytes: Uint8Array | string): void {
    this.sent.push(bytes.toString());
  }

  onData(listener: (chunk: Buffer) => void): void {
    this.say = listener;
  }

  async unplug(): Promise<void> {}
  async plug(): Promise<void> {}
  async close(): Promise<void> {
    this.isClosed = true;
  }
}

const counting = () => {
  let n = 0;
  return () => String(n++);
};

test('a virtual device talks at once and then on its schedule, until it is closed', async (t) => {
  const clock = new FakeClock();
  const line = new RecordingLine();
  const device = VirtualDevice.start({ clock, line, script: { everyMs: 200, next: counting() } });
  await clock.advance(1000);
  t.deepEqual(line.sent, ['0', '1', '2', '3', '4', '5']);
  await device.close();
  await clock.advance(1000);
  t.is(line.sent.length, 6);
  t.true(line.isClosed);
  t.is(clock.pending, 0);
});

test('a script that has nothing to say sends nothing', async (t) => {
  const clock = new FakeClock();
  const line = new RecordingLine();
  const device = VirtualDevice.start({ clock, line, script: { everyMs: 10, next: () => '' } });
  await clock.advance(100);
  t.deepEqual(line.sent, []);
  await device.close();
});

test('requests are lines of any ending in any chunking, and are answered one by one', async (t) => {
  const clock = new FakeClock();
  const line = new RecordingLine();
  const script = {
    everyMs: 1000,
    next: () => '',
    answer: (text: string) => (text === 'hush' ? undefined : `<${text}>`),
  };
  const device = VirtualDevice.start({ clock, line, script });
  for (const chunk of ['ta', 're\r', '\nzero\n\nhush\rlast', '\n']) line.say(Buffer.from(chunk));
  t.deepEqual(line.sent, ['<tare>', '<zero>', '<last>']);
  await device.close();
});

test('a request without end is forgotten up to the next line end', async (t) => {
  const clock = new FakeClock();
  const line = new RecordingLine();
  const script = { everyMs: 1000, next: () => '', answer: (text: string) => text };
  const device = VirtualDevice.start({ clock, line, script });
  for (let i = 0; i < 100; i += 1) line.say(Buffer.alloc(1000, 'x'));
  line.say(Buffer.from('tail\nnext\n'));
  t.deepEqual(line.sent, ['next']);
  await device.close();
});
