// What is live, ready and degraded, for each thing that can be wrong.

import test from 'ava';
import { healthReportOf } from '../../src/control/health-report.js';
import { healthFacts } from '../support/gateway-view.js';

const STUCK = [{ group: 'cell', thread: 'manager', doing: 'opening tcp h:1', busyMs: 130_400 }];
const SPOOL = { messages: 9, bytes: 99 };

/** live, ready, degraded; reasons of not live and not ready. */
const TABLE = {
  'all well': [{}, true, true, false, []],
  'a device unplugged': [
    { devices: [{ name: 'cell', state: 'backing-off', reason: 'no such device' }] },
    true,
    true,
    true,
    [],
  ],
  'a device parked': [{ devices: [{ name: 'cell', state: 'parked', reason: 'crashed' }] }, true, true, true, []],
  'a device disabled': [{ devices: [{ name: 'cell', state: 'disabled', reason: '' }] }, true, true, false, []],
  'broker away': [
    { broker: { state: 'backing-off', reason: 'refused' } },
    true,
    false,
    true,
    ['broker: backing-off: refused'],
  ],
  'broker not reached yet': [
    { broker: { state: 'connecting', reason: 'connecting' } },
    true,
    false,
    true,
    ['broker: connecting'],
  ],
  'spool full': [
    { spool: { ...SPOOL, state: 'disk', full: true } },
    true,
    false,
    true,
    ['spool: full: messages give way by spool.when_full'],
  ],
  'disk of the spool broken': [
    { spool: { ...SPOOL, state: 'memory' } },
    true,
    false,
    true,
    ['spool: the disk cannot be used, messages are kept in memory'],
  ],
  starting: [{ isStarted: false }, true, false, true, ['the gateway is starting']],
  'a thread stuck': [{ stuck: STUCK }, false, true, true, ['cell/manager is stuck, opening tcp h:1 for 130 s']],
  'shutting down': [
    { isShuttingDown: true, stuck: STUCK, broker: { state: 'closing', reason: 'SIGTERM' } },
    true,
    false,
    true,
    ['the gateway is shutting down'],
  ],
} as const;

for (const [situation, [facts, live, ready, degraded, reasons]] of Object.entries(TABLE)) {
  test(`${situation}: ${live ? 'live' : 'not live'}, ${ready ? 'ready' : 'not ready'}${degraded ? ', degraded' : ''}`, (t) => {
    const report = healthReportOf(healthFacts(facts));
    t.deepEqual([report.live, report.ready, report.degraded], [live, ready, degraded]);
    t.deepEqual([...report.not_live, ...report.not_ready], [...reasons]);
  });
}

test('the report shows each device with its state and reason', (t) => {
  const devices = [
    { name: 'scale', state: 'online', reason: 'open' },
    { name: 'line/cell', state: 'parked', reason: 'crashed' },
  ] as const;
  const report = healthReportOf(healthFacts({ devices, dropped: 3 }));
  t.deepEqual(report.devices, {
    scale: { state: 'online', reason: 'open' },
    'line/cell': { state: 'parked', reason: 'crashed' },
  });
  t.deepEqual([report.dropped, report.reasons], [3, ['line/cell: parked: crashed']]);
  t.deepEqual(report.broker, { state: 'online', reason: 'connected' });
});
