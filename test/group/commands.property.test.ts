// Random lives of a device that gets commands: answering or not, holding or not, with the broker coming and going. Each command has
// one final answer, in a legal order; at most one is in flight; they leave in the order in which they came; what is told
// as not sent or expired has not reached the device.

import test from 'ava';
import { Presence } from '../../src/core/presence.js';
import type { FramedDriver } from '../../src/device/driver.js';
import type { Command } from '../../src/device/message.js';
import { answeringDriver } from '../support/answering-driver.js';
import { command, type GroupRig, groupRig } from '../support/group-rig.js';
import { fc } from '../support/properties.js';

type Step =
  | {
      readonly op: 'command';
      readonly notAfterMs: number | undefined;
      readonly isClumsy: boolean;
      readonly raw: boolean;
    }
  | { readonly op: 'ack' | 'nak' | 'reading' | 'bad' | 'unplug' | 'refuse' | 'accept' | 'stall' | 'release' }
  | { readonly op: 'restart' | 'close' | 'settle' | 'broker-away' | 'broker-back' }
  | { readonly op: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      op: fc.constant('command' as const),
      notAfterMs: fc.constantFrom(undefined, undefined, 0, 250, 5000),
      isClumsy: fc.constantFrom(...Array.from({ length: 15 }, () => false), true),
      raw: fc.constantFrom(false, false, true),
    }),
  },
  {
    weight: 20,
    arbitrary: fc
      .constantFrom(
        ...(['ack', 'ack', 'ack', 'nak', 'reading', 'bad', 'unplug', 'refuse', 'accept', 'accept', 'stall'] as const),
        ...(['release', 'release', 'restart', 'settle', 'settle', 'broker-away', 'broker-back'] as const),
      )
      .map((op) => ({ op })),
  },
  {
    weight: 10,
    arbitrary: fc.record({ op: fc.constant('advance' as const), ms: fc.constantFrom(1, 30, 300, 2000, 40_000) }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ op: 'close' }) },
);

/** The same, but nobody looks at what the device answers. */
const silentDriver: FramedDriver = {
  ...answeringDriver,
  create: (options) => {
    const { decode, encode } = answeringDriver.create(options);
    return { ...(decode && { decode }), ...(encode && { encode }) };
  },
};

const LINES = { ack: 'ACK\n', nak: 'NAK no\n', reading: '1\n', bad: 'bad\n' };

class Life {
  readonly rig: GroupRig;
  readonly commands: Command[] = [];
  readonly uplink = new Presence(true);
  absences = 0;
  /** Flow control has held a write: it may end after the command's time. */
  wasStalled = false;

  constructor(answers: boolean, when_offline: 'hold' | 'refuse') {
    this.rig = groupRig({
      driver: answers ? answeringDriver : silentDriver,
      uplink: this.uplink,
      intensity: { max: 2, windowMs: 60_000, probeMs: 50_000 },
      settings: {
        commands: { when_offline, max_hold: 3000, timeout: 1000 },
        on_uplink_lost: { after: 500, write: Buffer.from('SAFE') },
      },
    });
  }

  async act(step: Step): Promise<void> {
    const { far, device, clock } = this.rig;
    switch (step.op) {
      case 'command':
        this.#command(step);
        return;
      case 'ack':
      case 'nak':
      case 'reading':
      case 'bad':
        far.send(LINES[step.op]);
        return;
      case 'refuse':
        far.refuse('missing');
        return;
      case 'stall':
        this.wasStalled = true;
        far.stall();
        return;
      case 'restart':
        device.restart('asked for');
        return;
      case 'close':
        device.group.close('step');
        return;
      case 'settle':
        return this.rig.settle();
      case 'broker-away':
        this.absences += Number(this.uplink.isThere);
        this.uplink.set(false);
        return;
      case 'broker-back':
        this.uplink.set(true);
        return;
      case 'advance':
        return clock.advance(step.ms);
      default:
        far[step.op]();
    }
  }

  #command({ notAfterMs, isClumsy, raw }: Extract<Step, { op: 'command' }>): void {
    const { clock, device } = this.rig;
    const payload = Buffer.from(`${isClumsy ? 'bad' : 'go'} ${this.commands.length}`);
    const notAfter = notAfterMs === undefined ? {} : { notAfter: clock.wall() + notAfterMs };
    const each = command({ payload, verb: raw ? 'write' : 'set', ...notAfter });
    this.commands.push(each);
    device.deliver(each);
  }
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

const LEGAL = /^(?:error|accepted (?:sent )?(?:ok|error)|accepted expired)$/;

/** What has arrived in a step that began at `wall` must not have been too late by then. */
function checkLate({ rig, commands, wasStalled }: Life, arrivedBefore: number, wall: number): void {
  const arrived = rig.far.received.slice(arrivedBefore).map((line) => line.toString().trim());
  const late = commands.filter(
    ({ payload, notAfter }) => notAfter !== undefined && notAfter < wall && arrived.includes(payload.toString()),
  );
  check(wasStalled || late.length === 0, `too late: ${late.map(({ payload }) => payload)}`);
}

/** After each step: at most one command has been sent and waits, and none on a link that is gone. */
function checkInFlight({ rig, commands }: Life, { op }: Step): void {
  const flying = commands.filter(({ transaction }) => rig.relay.statuses(transaction).at(-1) === 'sent');
  check(flying.length <= 1, `${flying.length} in flight`);
  const hasSettled = op === 'settle' || op === 'advance';
  check(flying.length === 0 || rig.far.isOpen || !hasSettled, 'in flight without a link');
}

function checkAnswers({ rig, commands }: Life): void {
  for (const { transaction, payload } of commands) {
    const story = rig.relay.statuses(transaction).join(' ');
    check(LEGAL.test(story), `command ${transaction}: ${story}`);
    const arrived = rig.far.received.filter((line) => line.toString().trim() === payload.toString()).length;
    const isSent = story.includes('sent');
    const why = rig.relay.responses(transaction).at(-1)?.error ?? '';
    check(!/nobody waits|before the next command/.test(why), `command ${transaction} was given up: ${why}`);
    check(arrived <= 1, `command ${transaction} acted ${arrived} times`);
    check(!isSent || arrived === 1, `command ${transaction} was told as sent and is not there`);
    // A write that was under way when its link ended may have arrived, though nobody can tell.
    check(
      isSent || arrived === 0 || why.includes('link was lost'),
      `command ${transaction} has arrived: ${story} ${why}`,
    );
  }
}

function checkOrder({ rig, commands }: Life): void {
  const sent = rig.relay.taken.flatMap((each) => (each.kind === 'response' && each.status === 'sent' ? [each] : []));
  const order = sent.map(({ transaction }) => commands.findIndex((each) => each.transaction === transaction));
  check(
    order.every((at, n) => n === 0 || at > (order[n - 1] ?? 0)),
    `sent in this order: ${order}`,
  );
}

async function live(steps: readonly Step[], answers: boolean, whenOffline: 'hold' | 'refuse'): Promise<void> {
  const life = new Life(answers, whenOffline);
  const { rig } = life;
  await rig.settle();
  for (const each of steps) {
    const [arrived, wall] = [rig.far.received.length, rig.clock.wall()];
    await life.act(each);
    checkInFlight(life, each);
    checkLate(life, arrived, wall);
  }
  const { ended } = await rig.end(3000);
  if (!ended) await rig.clock.advance(5000);
  check(rig.device.group.view().state === 'closed', 'not closed');
  check(rig.clock.pending === 0, 'a timer is left');
  checkAnswers(life);
  checkOrder(life);
  const safe = rig.far.received.filter((line) => line.toString() === 'SAFE').length;
  check(safe === rig.device.counters.uplinkLostWrites, `${safe} times made safe`);
  check(safe <= life.absences, `${safe} times made safe in ${life.absences} absences`);
}

test('any life of a device answers each command once, and sends at most one at a time', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.boolean(),
      fc.constantFrom<'hold' | 'refuse'>('hold', 'refuse'),
      live,
    ),
    { numRuns: 400 },
  );
  t.pass();
});
