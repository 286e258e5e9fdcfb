// What every link promises, run against each kind: `linkContract('tcp', makeRig)`. A rig is a link and its far end on real
// (or memory) transport; waits are bounded and end as soon as what they wait for is there.

import test, { type ExecutionContext } from 'ava';
import type { Link, LinkLoss, LinkOpener } from '../../src/device/link.js';
import { eventually } from '../support/eventually.js';

/** A link's opener and the device at its other end. */
export interface LinkRig {
  readonly opener: LinkOpener;
  /** Sends as the device; resolves when the system has it. */
  send(bytes: Buffer): Promise<unknown>;
  /** All that the gateway wrote so far. */
  received(): Buffer;
  /** The device goes away. */
  unplug(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** An open link with everything that it told. */
export interface Watched {
  readonly link: Link;
  readonly chunks: Buffer[];
  readonly losses: LinkLoss[];
  /** All bytes so far. */
  bytes(): Buffer;
}

/** Opens and attaches, in one turn as the manager does. */
export async function openWatched(opener: LinkOpener): Promise<Watched> {
  const link = await opener.open(new AbortController().signal);
  return watch(link);
}

/** Attaches to an open link. */
export function watch(link: Link): Watched {
  const chunks: Buffer[] = [];
  const losses: LinkLoss[] = [];
  link.attach({ onChunk: (chunk) => chunks.push(chunk), onLost: (loss) => losses.push(loss) });
  return { link, chunks, losses, bytes: () => Buffer.concat(chunks) };
}

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, value) => value));

/** Declares the contract's tests for one kind of link. */
export function linkContract(kind: string, makeRig: () => Promise<LinkRig>): void {
  const contract = (title: string, run: (t: ExecutionContext, rig: LinkRig, open: Watched) => Promise<void>): void => {
    test(`${kind}: ${title}`, async (t) => {
      const rig = await makeRig();
      try {
        const open = await openWatched(rig.opener);
        await run(t, rig, open);
        await open.link.close();
        t.is(open.losses.length, 1, 'a link is lost exactly once, also after our own close');
      } finally {
        await rig.close();
      }
    });
  };

  contract('bytes of any value arrive in order, both ways', async (t, rig, { link, bytes }) => {
    for (let round = 0; round < 8; round++) await rig.send(Buffer.concat([Buffer.from([round]), ALL_BYTES]));
    await eventually(() => bytes().length === 8 * 257, 'all bytes at the gateway');
    for (let round = 0; round < 8; round++) {
      t.deepEqual(bytes().subarray(round * 257, (round + 1) * 257), Buffer.concat([Buffer.from([round]), ALL_BYTES]));
    }
    t.is(await link.write(ALL_BYTES), 'written');
    t.is(await link.write(Buffer.from('next')), 'written');
    await eventually(() => rig.received().length === 260, 'all bytes at the device');
    t.deepEqual(rig.received(), Buffer.concat([ALL_BYTES, Buffer.from('next')]));
  });

  contract('two writes at once keep their order', async (t, rig, { link }) => {
    const outcomes = await Promise.all([link.write(Buffer.from('one,')), link.write(Buffer.from('two'))]);
    t.deepEqual(outcomes, ['written', 'written']);
    await eventually(() => rig.received().length === 7, 'both writes at the device');
    t.is(rig.received().toString(), 'one,two');
  });

  contract('a loss is told once, and a write after it answers lost', async (t, rig, { link, losses }) => {
    await rig.unplug();
    await eventually(() => losses.length > 0, 'the loss');
    t.is(losses[0]?.trouble, 'hang-up');
    t.true(losses[0]?.detail.includes(link.name.split(' (')[0] ?? ''), losses[0]?.detail);
    t.is(await link.write(Buffer.from('too late')), 'lost');
    await link.close();
  });

  contract('closing is idempotent, and tells closed at once', async (t, _rig, { link, losses }) => {
    const first = link.close();
    t.deepEqual(
      losses.map((loss) => loss.trouble),
      ['closed'],
    );
    await Promise.all([first, link.close()]);
    await link.close();
    t.is(await link.write(Buffer.from('x')), 'lost');
  });

  contract('the end of intake takes what was sent before, and nothing after', async (t, rig, { link, bytes }) => {
    link.pause();
    await rig.send(Buffer.from('before'));
    await link.finishIntake(5000);
    t.is(bytes().toString(), 'before');
    await rig.send(Buffer.from('after'));
    t.is(await link.write(Buffer.from('goodbye')), 'written');
    await eventually(() => rig.received().length === 7, 'the goodbye at the device');
    t.is(bytes().toString(), 'before');
  });

  contract('the end of intake ends also when the link is lost', async (t, rig, { link, losses }) => {
    const finished = link.finishIntake(5000);
    await rig.unplug();
    await finished;
    await link.close();
    t.is(losses.length, 1);
  });

  contract('it opens again after a close', async (t, rig, first) => {
    await first.link.close();
    const second = await openWatched(rig.opener);
    await rig.send(Buffer.from('again'));
    await eventually(() => second.bytes().length === 5, 'bytes on the second link');
    t.is(first.bytes().length, 0);
    await second.link.close();
  });

  test(`${kind}: opening with an aborted signal answers closed`, async (t) => {
    const rig = await makeRig();
    const error = await t.throwsAsync(rig.opener.open(AbortSignal.abort()));
    t.like(error, { name: 'LinkError', trouble: 'closed' });
    await rig.close();
  });
}
