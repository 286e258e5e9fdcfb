// Random lives of a device: whatever happens to it in whatever order, no transition is illegal, every thread ends, each
// link is closed once, each command is answered once, and every reading is relayed, counted as dropped, or still there.

import test from 'ava';
import { defineDriver, z } from '../../src/device/driver.js';
import type { Command } from '../../src/device/message.js';
import { command, type GroupRig, groupRig } from '../support/group-rig.js';
import { fc } from '../support/properties.js';

type Step =
  | { readonly op: 'frame'; readonly pad: number }
  | { readonly op: 'bad' | 'command' | 'clumsy' | 'unplug' | 'refuse' | 'accept' | 'stall' | 'release' }
  | { readonly op: 'burst' | 'fill' | 'empty' | 'restart' | 'close' | 'settle' }
  | { readonly op: 'advance'; readonly ms: number };

const plain = fc.constantFrom(
  ...(['bad', 'command', 'clumsy', 'unplug', 'refuse', 'accept', 'stall', 'release'] as const),
  ...(['burst', 'fill', 'empty', 'restart', 'settle', 'settle', 'command', 'accept', 'empty', 'release'] as const),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('frame' as const), pad: fc.constantFrom(0, 10, 500) }) },
  { weight: 8, arbitrary: plain.map((op) => ({ op })) },
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constant('advance' as const), ms: fc.constantFrom(1, 30, 300, 2000, 400_000) }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ op: 'close' }) },
);

const FINAL = new Set(['ok', 'error', 'expired']);

/** Throws on frames and commands that begin with `bad`. */
const driver = defineDriver({
  kind: 'framed',
  summary: '',
  options: z.unknown(),
  create: () => ({
    decode: (frame) => ({ text: refuseBad(frame.toString()) }),
    encode: ({ payload }) => Buffer.from(refuseBad(payload.toString())),
  }),
});

function refuseBad(text: string): string {
  if (text.startsWith('bad')) throw new Error('a bad one');
  return text;
}

/** What the test has done to the device. */
interface Deeds {
  readonly commands: Command[];
  /** Good frames that the line took. */
  sent: number;
  /** Of those: sent while the link was paused; a link that we close loses them. */
  onTheWire: number;
}

function sendFrame(rig: GroupRig, pad: number, deeds: Deeds): void {
  const { isPaused } = rig.far;
  if (rig.far.send(`${deeds.sent} ${'x'.repeat(pad)}\n`) === 'nobody-there') return;
  deeds.sent += 1;
  if (isPaused) deeds.onTheWire += 1;
}

async function act(rig: GroupRig, step: Step, deeds: Deeds): Promise<void> {
  switch (step.op) {
    case 'frame':
      sendFrame(rig, step.pad, deeds);
      return;
    case 'burst': // more than a paused link may hold back
      for (let n = 0; n < 50; n += 1) sendFrame(rig, 3500, deeds);
      return;
    case 'bad':
      rig.far.send('bad\n');
      return;
    case 'command':
    case 'clumsy': {
      const each = command({ payload: Buffer.from(step.op === 'clumsy' ? 'bad' : 'good') });
      deeds.commands.push(each);
      rig.device.deliver(each);
      return;
    }
    case 'refuse':
      rig.far.refuse('missing');
      return;
    case 'fill':
    case 'empty':
      rig.relay[step.op]();
      return;
    case 'restart':
      rig.device.restart('asked for');
      return;
    case 'close':
      rig.device.group.close('step');
      return;
    case 'settle':
      return rig.settle();
    case 'advance':
      return rig.clock.advance(step.ms);
    default:
      rig.far[step.op]();
  }
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

function checkAnswers(rig: GroupRig, commands: readonly Command[]): void {
  for (const { transaction } of commands) {
    const statuses = rig.relay.statuses(transaction);
    const finals = statuses.filter((status) => FINAL.has(status));
    check(finals.length === 1 && FINAL.has(statuses.at(-1) ?? ''), `command ${transaction}: ${statuses.join(', ')}`);
  }
}

function checkReadings(rig: GroupRig, deeds: Deeds, ended: boolean): void {
  const { counters, group } = rig.device;
  const queued = (label: string): number => group.view().threads.find((view) => view.label === label)?.queued ?? 0;
  const numbers = rig.relay.texts.map((text) => Number.parseInt(JSON.parse(text).text, 10));
  check(
    numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? -1)),
    `out of order or twice: ${numbers}`,
  );
  const held = counters.readings - numbers.length - counters.droppedReadings;
  check(held >= 0 && held <= (ended ? 0 : queued('send') + 1), `${held} readings unaccounted for`);
  const unread = deeds.sent - counters.readings;
  const excuse = deeds.onTheWire + queued('receive') + counters.droppedBytes;
  check(unread >= 0 && unread <= excuse, `${unread} frames unaccounted for, ${excuse} may be`);
}

async function live(steps: readonly Step[], canPause: boolean, queueSize: number): Promise<void> {
  const rig = groupRig({
    driver,
    canPause,
    intensity: { max: 1, windowMs: 60_000, probeMs: 100_000 },
    settings: { queue_size: queueSize, silent_after: 1000, on_shutdown: Buffer.from('SAFE') },
  });
  const deeds: Deeds = { commands: [], sent: 0, onTheWire: 0 };
  for (const each of steps) await act(rig, each, deeds);
  const { ended } = await rig.end(3000);
  if (!ended) await rig.clock.advance(5000);
  const view = rig.device.group.view();
  check(view.state === 'closed', 'not closed');
  check(
    view.threads.every(({ state }) => state === 'ended'),
    `alive: ${JSON.stringify(view.threads)}`,
  );
  check(rig.clock.pending === 0, 'a timer is left');
  check(
    rig.closes.every((count) => count === 1),
    `links closed ${rig.closes.join(', ')} times`,
  );
  check(!rig.far.isOpen, 'the link is open');
  check(
    rig.log.find('manager thread crashed') === undefined,
    String(rig.log.find('manager thread crashed')?.fields.err),
  );
  checkAnswers(rig, deeds.commands);
  checkReadings(rig, deeds, ended);
}

test('any life of a device keeps its promises', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), fc.constantFrom(300, 64 * 1024), live),
    { numRuns: 300 },
  );
  t.pass();
});
