import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { systemClock } from '../../../src/core/clock.js';
import { ConnectionFlag } from '../../../src/core/connection-flag.js';
import { silentLog } from '../../../src/core/log.js';
import { loadDriver } from '../../../src/device/load.js';
import type { DecodeHost } from '../../../src/group/decode-host.js';
import { workerHostMaker } from '../../../src/group/make-decode-host.js';
import { eventually } from '../../support/eventually.js';
import { badDriversDir, framing, longestLag, TimedSink, workerRig } from '../../support/worker-rig.js';

const HANG_MS = 1000;
/** Where 2 cores are shared with other tests. */
const MARGIN_MS = 20_000;
/** A main thread that waited for the Worker would stand still for as long as it hangs. */
const MAX_LAG_MS = 750;

const set = (text: string) => ({ verb: 'set', payload: Buffer.from(text) }) as const;

for (const how of ['loop', 'regex']) {
  test.serial(
    `a decoder that hangs (${how}) is ended in time, costs its chunk, and the main thread does not notice`,
    async (t) => {
      const { decoder, sink, crashed, push } = workerRig(t, 'hangs', { hangMs: HANG_MS });
      push('before\n');
      await decoder.whenIdle();
      const since = performance.now();
      let crash: Error | undefined;
      const lag = await longestLag(async () => {
        push(`${how}\n`);
        push('after\n');
        crash = await crashed;
      });
      const tookMs = performance.now() - since;
      t.log(`ended after ${Math.round(tookMs)} ms, longest lag of the main thread ${Math.round(lag)} ms`);
      t.is(crash?.message, 'the driver makes no progress for 1 s: terminated');
      t.true(tookMs >= HANG_MS && tookMs < HANG_MS + MARGIN_MS, `${tookMs} ms`);
      t.true(lag < MAX_LAG_MS, `${lag} ms`);
      t.deepEqual(sink.objects, [{ text: 'before' }]);
      t.deepEqual(sink.junked, [
        { reason: `crashed: ${crash?.message}`, bytes: Buffer.from(`${how}\n`), droppedBytes: 0 },
      ]);
      t.is(decoder.lostBytes, how.length + 1);
      t.is(decoder.backlog, 'after\n'.length);
    },
  );
}

test.serial('what waited behind the chunk that it crashed on is decoded by the next one, in order', async (t) => {
  const first = workerRig(t, 'hangs', { hangMs: HANG_MS });
  for (const text of ['one\n', 'two\n', 'loop\n', 'three\n', 'fo']) first.push(text);
  await first.crashed;
  first.push('ur\n'); // came while there was no Worker
  const next = workerRig(t, 'hangs', { out: first.sink, previous: first.decoder });
  next.push('five\n');
  t.is(await next.decoder.whenIdle(), 'done');
  const all = ['one', 'two', 'three', 'four', 'five'].map((text) => ({ text }));
  t.deepEqual(first.sink.objects, all);
  t.is(first.decoder.backlog, 0);
});

for (const [driver, poison] of [
  ['hangs', 'loop'],
  ['throws', 'exit'],
  ['throws', 'throw'],
] as const) {
  test.serial(`the tail of a frame whose beginning went with a crash is no reading (${poison})`, async (t) => {
    const first = workerRig(t, driver, { hangMs: HANG_MS });
    for (const text of ['one\n', `${poison}\nweight 12`, '3.4 kg\nfour\n']) first.push(text);
    await first.crashed;
    const next = workerRig(t, driver, { out: first.sink, previous: first.decoder });
    t.is(await next.decoder.whenIdle(), 'done');
    t.deepEqual(first.sink.objects, [{ text: 'one' }, { text: 'four' }]);
    t.is(first.sink.reasons.at(-1), 'partial');
  });
}

for (const [text, end, isInFrame] of [
  ['throw\nweight 12', 'stays', true],
  ['exit\nweight 12', 'stays', true],
  ['throw\n', 'stays', false],
  ['exit\n', 'stays', false],
  ['throw\nweight 12', 'ends', false],
  ['exit\nweight 12', 'ends', false],
] as const) {
  test.serial(
    `one that crashes on the last bytes there are says whether they ended inside a frame (${JSON.stringify(text)}, its link ${end})`,
    async (t) => {
      const { decoder, crashed, push } = workerRig(t, 'throws');
      push(text);
      if (end === 'ends') decoder.flush('end');
      await crashed;
      t.is(decoder.backlog, 0);
      t.is(decoder.held > 0, isInFrame);
    },
  );
}

test.serial('many chunks of poison end, one by one', async (t) => {
  let rig = workerRig(t, 'throws');
  for (let i = 0; i < 5; i++) rig.push('exit\n');
  rig.push('good\n');
  let crashes = 0;
  for (; crashes < 5; crashes++) {
    t.regex((await rig.crashed).message, /process\.exit\(1\)/);
    rig = workerRig(t, 'throws', { out: rig.sink, previous: rig.decoder });
  }
  await rig.decoder.whenIdle();
  t.deepEqual(rig.sink.objects, [{ text: 'good' }]);
  t.is(rig.sink.junked.length, 5);
});

test.serial('a driver that hangs after it has answered is found by the next chunk, which is kept', async (t) => {
  const { decoder, sink, crashed, push } = workerRig(t, 'hangs', { hangMs: HANG_MS });
  push('later\n');
  await decoder.whenIdle();
  push('next\n');
  t.regex((await crashed).message, /no progress/);
  t.deepEqual(sink.objects, [{ text: 'later' }]);
  t.is(decoder.backlog, 5);
});

test.serial('an encode that hangs is refused with the crash', async (t) => {
  const { decoder, crashed } = workerRig(t, 'hangs', { hangMs: HANG_MS });
  await t.throwsAsync(() => decoder.encodeCommand(set('loop')), { code: 'driver-crash', message: /no progress/ });
  await crashed;
  await t.throwsAsync(() => decoder.encodeCommand(set('fine')), { code: 'driver-crash' });
});

test.serial('a decoder that eats its heap is ended by its limit', async (t) => {
  const { decoder, sink, crashed, push } = workerRig(t, 'eats-memory', { hangMs: 20_000, heapMb: 32 });
  push('ok\n');
  await decoder.whenIdle();
  push('heap\n');
  const crash = await crashed;
  t.is(crash.message, 'the driver took more than 32 MB of memory: terminated');
  t.deepEqual(sink.objects, [{ text: 'ok' }]);
  t.deepEqual(sink.junked[0]?.bytes, Buffer.from('heap\n'));
});

test.serial('a decoder that eats memory outside of its heap is ended before it has hung long enough', async (t) => {
  const { decoder, crashed, push } = workerRig(t, 'eats-memory', { hangMs: 2000 });
  push('ok\n');
  await decoder.whenIdle();
  const before = process.memoryUsage.rss();
  push('buffers\n');
  const { message } = await crashed;
  t.log(message, `RSS ${Math.round(before / 2 ** 20)} -> ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`);
  // Where memory is slow to come by, 2 s may be over first.
  t.regex(message, /MiB more memory in use: terminated$|no progress for 2 s: terminated$/);
});

test.serial('a frame that gives more readings than anyone can take is a crash', async (t) => {
  const { sink, crashed, push } = workerRig(t, 'eats-memory', { hangMs: 20_000 });
  push('flood\n');
  t.is((await crashed).message, 'more than 8 MiB of readings from one chunk');
  t.deepEqual(sink.texts, []);
  t.deepEqual(sink.junked[0]?.bytes, Buffer.from('flood\n'));
});

test.serial(
  'a decoder that throws crashes with its message and its stack; what came before is handed out',
  async (t) => {
    const { decoder, sink, crashed, push } = workerRig(t, 'throws');
    push('a\nb\nthrow\nskipped\n');
    push('kept\n');
    const crash = await crashed;
    t.is(crash.message, 'the driver threw in decode: cannot read this');
    t.regex(String((crash.cause as Error).stack), /TypeError: cannot read this[\s\S]*throws\.mjs/);
    t.deepEqual(sink.objects, [{ text: 'a' }, { text: 'b' }]);
    t.deepEqual(sink.junked, [{ reason: 'crashed: cannot read this', bytes: Buffer.from('throw'), droppedBytes: 0 }]);
    t.is(decoder.backlog, 'kept\n'.length);
  },
);

const ENDINGS: Readonly<Record<string, RegExp>> = {
  later: /^the driver threw outside of decode and encode: too late$/,
  reject: /^the driver threw outside of decode and encode: nobody waits$/,
  exit: /^the driver ended its Worker: process\.exit\(1\)$/,
  kill: /^the driver threw in decode: a driver cannot send signals$/,
};

for (const [how, message] of Object.entries(ENDINGS)) {
  test.serial(`a driver that ends by ${how} crashes its Worker only`, async (t) => {
    const { crashed, push } = workerRig(t, 'throws');
    push(`${how}\n`);
    t.regex((await crashed).message, message);
  });
}

test.serial('an encode that throws is refused with the crash', async (t) => {
  const { decoder, crashed } = workerRig(t, 'throws');
  const message = 'the driver threw in encode: no such command';
  await t.throwsAsync(() => decoder.encodeCommand(set('throw')), { message });
  t.is((await crashed).message, message);
});

test.serial('a driver that cannot be made or found crashes, and the bytes wait for a better one', async (t) => {
  const made = workerRig(t, 'throws', { options: { inCreate: true } });
  made.push('x\n');
  t.is((await made.crashed).message, 'no board');
  t.is(made.decoder.backlog, 2);
  const found = workerRig(t, 'no-such-driver');
  found.push('x\n');
  t.regex((await found.crashed).message, /^no driver "no-such-driver"/);
});

test.serial('options that cannot be cloned are a crash, not an exception of push', async (t) => {
  const { crashed, push } = workerRig(t, 'lines', { options: { parse: () => 1 } });
  push('x\n');
  t.regex((await crashed).message, /^cannot start the device's Worker: .*could not be cloned/);
});

test.serial('answers that are no readings are junk', async (t) => {
  const { decoder, sink, push } = workerRig(t, 'nonsense');
  push('x\n'.repeat(9));
  t.is(await decoder.whenIdle(), 'done');
  t.deepEqual(sink.texts, []);
  t.is(sink.junked.length, 9);
  t.true(
    sink.reasons.every((reason) => reason.startsWith('bad-reading: ')),
    sink.reasons.join(),
  );
  const encoded = await decoder.encodeCommand(set('x'));
  t.false(encoded.ok);
});

test.serial('what a driver prints goes to the log, cut and counted', async (t) => {
  const { decoder, log, push } = workerRig(t, 'throws');
  push('print\n');
  push('print\n');
  await eventually(() => log.matching('the driver says').length >= 20, 'the output');
  push('print\n');
  await decoder.whenIdle();
  await decoder.close();
  const lines = log.matching('the driver says');
  t.is(lines.length, 20);
  t.true(lines.every(({ message }) => message.length < 600));
});

test.serial('a Worker that hangs is closed at once', async (t) => {
  const { decoder, push } = workerRig(t, 'hangs', { hangMs: 20_000 });
  push('one\n');
  await decoder.whenIdle();
  push('loop\n');
  await new Promise((resolve) => setImmediate(resolve));
  const since = performance.now();
  await decoder.close();
  t.true(performance.now() - since < 10_000); // half of what a hang may take
  t.is(decoder.lostBytes, 5);
});

test.serial('a device whose Worker crashes again and again keeps none but the last', async (t) => {
  const crashOne = await crashingDevice();
  const hosts: WeakRef<DecodeHost>[] = [];
  for (let round = 0; round < 6; round++) hosts.push(await crashOne());
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  await eventually(() => {
    gc();
    return hosts.filter((host) => host.deref()).length <= 1;
  }, 'the Workers of before to be let go of');
  t.pass();
});

/** Answers a function that has the device's next Worker crash. */
async function crashingDevice(): Promise<() => Promise<WeakRef<DecodeHost>>> {
  const driver = await loadDriver('throws', { dirs: [badDriversDir] });
  let tell: () => void = () => {};
  const make = workerHostMaker({
    id: 'throws',
    clock: systemClock,
    log: silentLog,
    flag: new ConnectionFlag(),
    plan: { driver, driverName: 'throws', driverDirs: [badDriversDir], options: {}, framing: framing('line') },
    onCrash: () => tell(),
    session: () => ({ onReady: () => {}, onUnanswered: () => {}, onDetails: () => {} }),
  });
  return async () => {
    const host = make(new TimedSink());
    const crashed = new Promise<void>((resolve) => {
      tell = resolve;
    });
    host.push(Buffer.from('throw\n'), systemClock.now(), systemClock.wall());
    await crashed;
    return new WeakRef(host);
  };
}
