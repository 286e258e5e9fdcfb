import test from 'ava';
import { hottest } from './profile.js';
import { queuedIn } from './tcp-queues.js';

function node(id: number, functionName: string, url = '') {
  return { id, callFrame: { functionName, url, lineNumber: 9 } };
}

test('functions are ranked by their own time, idle time not counted', (t) => {
  const profile = {
    nodes: [
      node(1, '(idle)'),
      node(2, 'pack', 'file:///x/dist/src/uplink/a.js'),
      node(3, ''),
      node(4, 'pack', 'file:///x/dist/src/uplink/a.js'),
    ],
    samples: [1, 2, 3, 4],
    timeDeltas: [9000, 1000, 1000, 2000],
  };
  t.deepEqual(hottest(profile, 5), [
    { where: 'pack src/uplink/a.js:10', selfMs: 3, share: 0.75 },
    { where: '(anonymous)', selfMs: 1, share: 0.25 },
  ]);
});

test('what the kernel holds between two sockets is what was sent and not acknowledged, and what came and was not read', (t) => {
  const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when
   0: 0100007F:1F90 0100007F:C350 01 00000010:00000400 00:00000000
   1: 0100007F:C350 0100007F:1F90 01 00000100:00000002 00:00000000
   2: 0100007F:C351 0100007F:1F90 01 00001000:00000000 00:00000000`;
  t.is(queuedIn(text, 0xc350, 0x1f90), 0x100 + 0x400);
});
