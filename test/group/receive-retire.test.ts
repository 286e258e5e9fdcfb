// What the receive thread does with a decoder that it needs no more; one in a Worker holds some ten megabytes.

import test from 'ava';
import { Lease } from '../../src/core/lease.js';
import { Thread } from '../../src/core/thread.js';
import { ThreadGroup } from '../../src/core/thread-group.js';
import { ThreadRegistry } from '../../src/core/thread-registry.js';
import { memoryLink } from '../../src/device/links/memory.js';
import type { DownMessage } from '../../src/device/message.js';
import type { DecodeHost, WorkerWait } from '../../src/group/decode-host.js';
import { DeviceContext, newCounters } from '../../src/group/device-context.js';
import { ReceiveThread } from '../../src/group/receive.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeRelay } from '../support/fake-relay.js';
import { SETTINGS } from '../support/group-rig.js';
import { RecordingLog } from '../support/recording-log.js';

/** A receive thread whose decoders are in Workers, as far as it can tell; `how` their last wait ends. */
async function retireRig(how: WorkerWait = 'done') {
  const clock = new FakeClock();
  const registry = new ThreadRegistry<DownMessage>(clock);
  const ctx = new DeviceContext({
    ...{ id: 'scale', address: undefined, clock, log: new RecordingLog(), registry, relay: new FakeRelay() },
    ...{ settings: SETTINGS, whileCritical: undefined, counters: newCounters() },
  });
  const said: string[] = [];
  let made = 0;
  const makeDecoder = (): DecodeHost => {
    made += 1;
    const name = `worker ${made}`;
    return {
      push: () => void said.push(`${name} has bytes`),
      flush: () => {},
      settle: () => {},
      ...{ held: 0, gapMs: undefined, settleMs: undefined, hasUnsettled: false },
      stats: { frames: 0, junk: 0, readings: 0, droppedBytes: 0 } as unknown as DecodeHost['stats'], // only `frames` is read
      encodeCommand: () => ({ ok: false, reason: 'not asked for' }),
      whenIdle: async () => how,
      close: async () => void said.push(`${name} is closed`),
    };
  };
  const { state } = new ThreadGroup({ id: 'scale', clock });
  const receive = new ReceiveThread(ctx, { hasSession: false, makeDecoder, state, onCrash: () => {} });
  const { opener } = memoryLink({ clock });
  const lease = new Lease(await opener.open(new AbortController().signal), (link) => link.close());
  ctx.lease = lease;
  const thread = new Thread(receive, { id: 'scale', clock });
  thread.start(receive);
  return {
    ...{ ctx, receive, lease, thread, said, clock },
    send: async () => {
      receive.intake(lease.resource, Buffer.from('x'));
      await clock.settle();
    },
  };
}

test('a Worker that has to make way for a fresh one, or for the end, is closed: none is left behind', async (t) => {
  const { ctx, said, clock, thread, send } = await retireRig();
  await send();
  ctx.received.put({ kind: 'ended', isFresh: true });
  await clock.settle();
  t.deepEqual(said.splice(0), ['worker 1 has bytes', 'worker 1 is closed']);
  await send();
  thread.finish();
  await thread.done;
  t.deepEqual(said, ['worker 2 has bytes', 'worker 2 is closed']);
});

test('a Worker outlives the loss of the link, since nothing is wrong with it', async (t) => {
  const { ctx, said, clock, thread, send } = await retireRig();
  await send();
  ctx.received.put({ kind: 'ended', isFresh: false });
  await clock.settle();
  await send();
  t.deepEqual(said, ['worker 1 has bytes', 'worker 1 has bytes']);
  thread.abort();
  await thread.done;
});

test('bytes of a link that has been let go of are counted as lost, and decoded as nobody’s', async (t) => {
  const { ctx, lease, receive, said, clock, thread } = await retireRig();
  ctx.lease = undefined;
  receive.intake(lease.resource, Buffer.from('late'));
  await clock.settle();
  t.deepEqual(said, []);
  t.is(ctx.counters.droppedBytes, 4);
  t.is(ctx.counters.bytesIn, 0);
  thread.abort();
  await thread.done;
});
