import { setImmediate } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { untilStopped } from '../../src/cli/run.js';
import type { GatewayReport } from '../../src/gateway.js';
import { RecordingLog } from '../support/recording-log.js';

const CLEAN: GatewayReport = { clean: true, stuck: [], left: [], tookMs: 0, undelivered: new Map() };

/** A gateway that is asked to end, and has ended when the test says so. */
function running(t: ExecutionContext) {
  const reasons: string[] = [];
  const told: string[] = [];
  const log = new RecordingLog();
  let finish = (): void => {};
  let ask = (_: string): void => {};
  const ended = new Promise<GatewayReport>((resolve) => (finish = () => resolve(CLEAN)));
  const asked = new Promise<string>((resolve) => (ask = resolve));
  const stop = (reason: string): Promise<GatewayReport> => {
    reasons.push(reason);
    return ended;
  };
  const code = untilStopped({ stop }, log, { asked, onStop: (reason) => told.push(reason) });
  t.teardown(async () => {
    finish();
    await code; // takes the handlers of signals out again
  });
  return { ask, finish, code, reasons, told, words: () => log.lines.map(({ message }) => message) };
}

test.serial('a supervisor may send its SIGTERM while a restart is under way: the end in order goes on', async (t) => {
  const { ask, finish, code, reasons, told, words } = running(t);
  ask('restart');
  await setImmediate();
  process.emit('SIGTERM', 'SIGTERM');
  await setImmediate();
  t.deepEqual(words(), ['restart: shutting down', 'SIGTERM: ending already']);
  t.deepEqual([reasons, told], [['restart'], ['restart']]);
  finish();
  t.is(await code, 0);
});

test.serial('a restart that is asked for while a signal is followed changes nothing', async (t) => {
  const { ask, finish, code, reasons } = running(t);
  process.emit('SIGINT', 'SIGINT');
  ask('restart');
  await setImmediate();
  t.deepEqual(reasons, ['SIGINT']);
  finish();
  t.is(await code, 0);
});

test.serial('an error that nobody caught during an end in order changes the exit code, not the end', async (t) => {
  const { finish, code, reasons } = running(t);
  const handler = process.listeners('uncaughtException').at(-1); // `emit` would tell the test's own runner too
  process.emit('SIGTERM', 'SIGTERM');
  handler?.(new Error('torn in two'), 'uncaughtException');
  await setImmediate();
  t.deepEqual(reasons, ['SIGTERM']);
  finish();
  t.is(await code, 70);
});
