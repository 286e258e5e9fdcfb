// Answers of devices to commands, read by a driver in a Worker.

import test, { type ExecutionContext } from 'ava';
import type { CommandAnswer } from '../../../src/device/decoder.js';
import { type WorkerRig, workerRig } from '../../support/worker-rig.js';

/** Has a command encoded; answers what will become of it: in a list, as `await` would wait for it. */
async function encoded(t: ExecutionContext, { decoder }: WorkerRig, text: string): Promise<[Promise<CommandAnswer>]> {
  const result = await decoder.encodeCommand({ verb: 'set', payload: Buffer.from(text) });
  if (!result.ok || result.answer === undefined) throw new Error('no answer is promised');
  t.deepEqual(result.payloads, [Buffer.from(`${text}\n`)]);
  return [result.answer];
}

test.serial('the answer comes back from the Worker, with its data; it is no reading', async (t) => {
  const rig = workerRig(t, 'answers');
  const [answer] = await encoded(t, rig, 'go');
  rig.push('21\nACK fine\n22\n');
  t.deepEqual(await answer, { ok: true, data: { text: 'ACK fine', to: 'go' } });
  await rig.decoder.whenIdle();
  t.deepEqual(rig.sink.objects, [{ text: '21' }, { text: '22' }]);
  const [second] = await encoded(t, rig, 'on');
  rig.push('NAK lid open\n');
  t.deepEqual(await second, { ok: false, reason: 'NAK lid open' });
});

test.serial('an answer that is given up settles, and what comes late is a reading', async (t) => {
  const rig = workerRig(t, 'answers');
  const [answer] = await encoded(t, rig, 'go');
  rig.decoder.cancelAnswer();
  t.false((await answer).ok);
  rig.push('ACK late\n');
  await rig.decoder.whenIdle();
  t.deepEqual(rig.sink.objects, [{ text: 'ACK late' }]);
  const [next] = await encoded(t, rig, 'on');
  rig.push('ACK\n');
  t.deepEqual(await next, { ok: true, data: { text: 'ACK', to: 'on' } });
});

test.serial('an answer that is late is a reading, and the command is told of it', async (t) => {
  const rig = workerRig(t, 'answers');
  const [answer] = await encoded(t, rig, 'go');
  rig.decoder.takeAnswerAsReading();
  rig.push('ACK late\n');
  t.like(await answer, { ok: true });
  await rig.decoder.whenIdle();
  t.deepEqual(rig.sink.objects, [{ text: 'ACK late' }]);
});

test.serial('a crash of the Worker answers the command that waits', async (t) => {
  const rig = workerRig(t, 'answers');
  const [answer] = await encoded(t, rig, 'go');
  rig.push('throw\n');
  t.deepEqual(await answer, { ok: false, reason: 'sent, but the driver crashed before the device answered' });
  t.regex((await rig.crashed).message, /the driver threw in confirm: cannot read this/);
});

test.serial('a Worker that is closed answers the command that waits', async (t) => {
  const rig = workerRig(t, 'answers');
  const [answer] = await encoded(t, rig, 'go');
  await rig.decoder.close();
  t.deepEqual(await answer, { ok: false, reason: 'sent, but the device was closed before it answered' });
});

test.serial('data that is no JSON is told as a bug of the driver', async (t) => {
  const rig = workerRig(t, 'answers');
  const [answer] = await encoded(t, rig, 'go');
  rig.push('cyclic\n');
  t.regex(
    String(JSON.stringify(await answer)),
    /sent, but there is a bug in the driver: the data that confirm answered is no JSON/,
  );
});
