import test from 'ava';
import { contentsOf, MAX_RECENT, RecentCommands, type Recollection } from '../../src/control/recent-commands.js';
import type { CommandStatus } from '../../src/device/message.js';
import { FakeClock } from '../support/fake-clock.js';
import { fc } from '../support/properties.js';

const TEN_MINUTES = 600_000;
const A_MINUTE = 60_000;

interface Sending {
  readonly op: 'send';
  readonly transaction: string | undefined;
  readonly contents: string;
  readonly isRedelivery: boolean;
}

type Step =
  | Sending
  /** The device answers what was done last. */
  | { readonly op: 'answer'; readonly status: CommandStatus }
  /** So many others. */
  | { readonly op: 'flood'; readonly count: number }
  | { readonly op: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('send' as const),
      transaction: fc.constantFrom('t1', 't2', undefined),
      contents: fc.constantFrom('on', 'off'),
      isRedelivery: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('answer' as const),
      status: fc.constantFrom<CommandStatus>('accepted', 'sent', 'ok', 'error', 'expired'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('flood' as const), count: fc.constantFrom(1, MAX_RECENT - 1, MAX_RECENT) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('advance' as const),
      ms: fc.constantFrom(1, A_MINUTE, A_MINUTE + 1, TEN_MINUTES, TEN_MINUTES + 1),
    }),
  },
);

/** One time that a command was seen, in the words of the rule. */
interface Sighting {
  readonly id: string;
  readonly contents: string;
  readonly at: number;
  /** Shared by a command and its repeats. */
  readonly deed: { status: CommandStatus | undefined; isRefused: boolean };
}

/** The rule, read off the whole history. */
class Model {
  readonly #sightings: Sighting[] = [];
  #floods = 0;

  judge({ transaction, contents, isRedelivery }: Sending, now: number): Recollection['is'] {
    const id = transaction === undefined ? `contents ${contents}` : `transaction ${transaction}`;
    const last = this.#sightings.findLast((sighting) => sighting.id === id);
    const since = last === undefined ? [] : this.#sightings.slice(this.#sightings.indexOf(last) + 1);
    const others = new Set(since.map((sighting) => sighting.id));
    const isKnown =
      last !== undefined &&
      !last.deed.isRefused &&
      now - last.at <= (transaction === undefined ? A_MINUTE : TEN_MINUTES) &&
      others.size < MAX_RECENT;
    if (!isKnown || (transaction === undefined && !isRedelivery)) {
      this.#sightings.push({ id, contents, at: now, deed: { status: undefined, isRefused: false } });
      return 'new';
    }
    if (last.contents !== contents) return 'misnamed';
    this.#sightings.push({ ...last, at: now });
    return 'repeat';
  }

  answer(status: CommandStatus): void {
    const deed = this.#sightings.findLast((sighting) => !sighting.id.startsWith('flood'))?.deed;
    if (deed === undefined) return;
    deed.isRefused = deed.status === undefined && status === 'error';
    if (!deed.isRefused) deed.status = status;
  }

  flood(count: number, now: number, send: (id: string) => void): void {
    for (let n = 0; n < count; n += 1) {
      this.#floods += 1;
      const id = `flood ${this.#floods}`;
      this.#sightings.push({ id, contents: '', at: now, deed: { status: undefined, isRefused: false } });
      send(id);
    }
  }

  get last(): Sighting | undefined {
    return this.#sightings.at(-1);
  }
}

/** The real thing beside the model. */
class Life {
  readonly clock = new FakeClock();
  readonly recent = new RecentCommands(this.clock);
  readonly #model = new Model();
  /** By the deed: what tells of its answers. */
  readonly #answering = new Map<unknown, (status: CommandStatus) => void>();
  #current: ((status: CommandStatus) => void) | undefined;

  async act(each: Step): Promise<void> {
    switch (each.op) {
      case 'advance':
        return this.clock.advance(each.ms);
      case 'answer':
        this.#model.answer(each.status);
        this.#current?.(each.status);
        return;
      case 'flood':
        this.#model.flood(each.count, this.clock.now(), (transaction) => {
          this.recent.judge({ device: 'd', transaction, contents: '', isRedelivery: false });
        });
        return;
      case 'send':
        this.#send(each);
    }
  }

  #send(each: Sending): void {
    const found = this.recent.judge({ device: 'd', ...each });
    const expected = this.#model.judge(each, this.clock.now());
    check(found.is === expected, `${JSON.stringify(each)}: ${found.is}, not ${expected}`);
    if (found.is === 'misnamed') return;
    const deed = this.#model.last?.deed;
    if (found.is === 'new') {
      const { onAnswer } = found;
      const told = { kind: 'response', device: 'd', transaction: 'x' } as const;
      this.#answering.set(deed, (status) => onAnswer({ ...told, status }));
    } else {
      const { status } = found.standing;
      check(status === (deed?.status ?? 'accepted'), `stands as ${status}, not ${deed?.status}`);
    }
    this.#current = this.#answering.get(deed);
  }
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

async function live(steps: readonly Step[]): Promise<void> {
  const life = new Life();
  for (const each of steps) {
    await life.act(each);
    check(life.recent.size <= MAX_RECENT, `${life.recent.size} are remembered`);
    check(life.clock.pending === 0, 'a timer');
  }
}

test('a command acts once, whatever comes again and when', async (t) => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), live), {
    numRuns: 200,
  });
  t.pass();
});

test('contents are equal only where every part is', (t) => {
  t.is(contentsOf('a', undefined, Buffer.from('b')), contentsOf('a', undefined, Buffer.from('b')));
  const different = [['ab', 'c'], ['a', 'bc'], ['a', 'b', 'c'], ['abc'], ['abc', undefined], ['abc', '']];
  t.is(new Set(different.map((parts) => contentsOf(...parts))).size, different.length);
});

test('of a long answer the status is kept for a repeat, not the data', (t) => {
  const recent = new RecentCommands(new FakeClock());
  const command = { device: 'd', transaction: 't', contents: '', isRedelivery: false };
  const first = recent.judge(command);
  if (first.is !== 'new') return t.fail();
  const response = { kind: 'response', device: 'd', transaction: 't', status: 'ok' } as const;
  first.onAnswer({ ...response, data: 'x'.repeat(2000) });
  t.deepEqual(recent.judge(command), { is: 'repeat', transaction: 't', standing: { status: 'ok' } });
});
