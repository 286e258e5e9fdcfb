import test from 'ava';
import { type ShownDevice, statusLines } from '../../src/cli/status-table.js';
import type { Health } from '../../src/control/health.js';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const HEALTH: Health = { healthy: true, status: 'ok', broker: 'online', devices: {}, reasons: [], dropped: 0 };

function ago(ms: number): string {
  return new Date(NOW - ms).toISOString();
}

test('each device has a line, in the largest unit of time that is full, and trouble stands below', (t) => {
  const devices: ShownDevice[] = [
    {
      name: 'scale',
      state: 'online',
      since: ago(3 * 86_400_000),
      reason: 'tcp://h:1',
      counters: { readings: 1234567, last_heard_at: NOW - 999, dropped_readings: 3 },
      dropped: 4,
      origin: 'config',
    },
    {
      name: 'hall/door',
      state: 'backing-off',
      since: ago(61_000),
      reason: 'nobody\u001b[2J listens',
      counters: { readings: 0, last_heard_at: 0, next_retry_at: NOW + 25_000 },
      origin: 'mqtt',
    },
    { name: 'spare', state: 'disabled', origin: 'config', override: 'disabled' },
    {
      name: 'cells',
      state: 'online',
      since: ago(0),
      counters: { accepted: 9 },
      connections_total: 2,
      origin: 'config',
    },
  ];
  t.deepEqual(statusLines(devices, { ...HEALTH, spool: { state: 'disk', messages: 2, bytes: 2049 } }, NOW), [
    'DEVICE     STATE        SINCE  HEARD  READINGS  DROPPED   RETRY',
    'scale      online          3d     0s   1234567        7',
    'hall/door  backing-off     1m      -         0        0  in 25s',
    'spare      disabled                -         -        0',
    'cells      online          0s      -         -        0',
    '',
    'hall/door: nobody\\x1b[2J listens; added over MQTT',
    'spare: disabled over MQTT',
    'cells: 2 connections',
    '',
    'gateway: ok; broker: online; spool: disk, 2 messages, 3 KiB; dropped: 0',
  ]);
});

test('the longest names and numbers stay within 80 columns', (t) => {
  const devices: ShownDevice[] = [
    {
      name: 'building-7/hall-north/line-3/press/scale',
      state: 'backing-off',
      since: ago(99 * 86_400_000),
      counters: { readings: 99_999_999, last_heard_at: NOW - 59_000, next_retry_at: NOW + 300_000 },
      dropped: 9_999_999,
    },
  ];
  const [head = '', row = ''] = statusLines(devices, HEALTH, NOW);
  t.true(head.length <= 80 && row.length <= 80, `${row.length}`);
  t.regex(row, /^building-7\/hall-north\/l\.\.\. {2}backing-off/);
});

test('a gateway without devices shows its own line', (t) => {
  t.deepEqual(statusLines([], HEALTH, NOW).slice(1), ['', 'gateway: ok; broker: online; dropped: 0']);
});
