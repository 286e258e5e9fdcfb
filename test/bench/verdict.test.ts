import test from 'ava';
import { withBareSocket } from './bare-socket.js';
import type { Result } from './result.js';
import { notesOf, short, tableOf } from './table.js';
import { judge } from './verdict.js';

function result(workload: string, system: string, figures: Record<string, number>): Result {
  return { workload, system, figures, load: 0 };
}

const RESULTS = [
  result('hose', 'ferrule', { cpuPerLineUs: 0.5, lost: 0 }),
  result('hose', 'a | b', { cpuPerLineUs: 1.2, lost: 3 }),
  { ...result('hose', 'red', {}), skipped: 'not installed' },
];

test('a figure up to its limit has met it, above it has missed it', (t) => {
  const targets = [0.5, 0.49].map((atMost) => ({ workload: 'hose', figure: 'cpuPerLineUs', atMost }));
  t.deepEqual(
    judge(RESULTS, targets, 'ferrule').map(({ verdict }) => verdict),
    ['met', 'missed'],
  );
});

test('a limit can be a share of what another system took in the same run', (t) => {
  const [verdict] = judge(
    RESULTS,
    [{ workload: 'hose', figure: 'cpuPerLineUs', atMost: 1 / 3, ofSystem: 'a | b' }],
    'ferrule',
  );
  t.is(verdict?.verdict, 'missed');
  t.is(short(verdict?.limit ?? 0), '0.4');
});

test('a limit is carried over to this machine by the peer that suffers least here', (t) => {
  const target = { workload: 'tcp-qos1', figure: 'cpuPerLineUs', atMost: 2.5 };
  const run = (own: number, ...peers: Result[]): Result[] => [
    result('tcp-qos1', 'ferrule', { cpuPerLineUs: own }),
    ...peers,
  ];
  const pipe = result('tcp-qos1', 'socat | mosquitto_pub', { cpuPerLineUs: 16.6 }); // twice what it took there
  const script = result('tcp-qos1', 'mqtt.js script', { cpuPerLineUs: 18.15 }); // once and a half
  const [both] = judge(run(3.7, pipe, script), [target], 'ferrule');
  t.deepEqual([both?.verdict, both?.verdictHere, short(both?.limitHere ?? 0)], ['missed', 'met', '3.75']);
  t.is(judge(run(3.8, pipe, script), [target], 'ferrule')[0]?.verdictHere, 'missed');
  t.is(judge(run(3.8, pipe), [target], 'ferrule')[0]?.verdictHere, 'met');
  t.is(judge(run(3.8), [target], 'ferrule')[0]?.verdictHere, undefined);
  const results = run(3.7, pipe, script);
  t.true(
    tableOf(results, judge(results, [target], 'ferrule'), 'ferrule').includes(
      '| <= 2.5: missed, <= 3.75 by the peers here: met |',
    ),
  );
});

test('of several rounds it is told how many have met the limit, where they do not agree', (t) => {
  const own = [0.4, 0.6, 0.9].map((cpuPerLineUs) => ({ cpuPerLineUs }));
  const theirs = [0.3, 3, 3].map((cpuPerLineUs) => ({ cpuPerLineUs }));
  const results = [
    { ...result('hose', 'ferrule', { cpuPerLineUs: 0.6 }), rounds: own },
    { ...result('hose', 'a | b', { cpuPerLineUs: 3 }), rounds: theirs },
  ];
  const limits = [0.5, 1, 0.3].map((atMost) => ({ workload: 'hose', figure: 'cpuPerLineUs', atMost }));
  const shares = [{ workload: 'hose', figure: 'cpuPerLineUs', atMost: 1 / 3, ofSystem: 'a | b' }];
  const verdicts = judge(results, [...limits, ...shares], 'ferrule');
  t.deepEqual(
    verdicts.map(({ verdict, metRounds }) => [verdict, metRounds?.met, metRounds?.of]),
    [
      ['missed', 1, 3],
      ['met', 3, 3],
      ['missed', 0, 3],
      ['met', 2, 3],
    ],
  );
  t.true(
    tableOf(results, verdicts, 'ferrule').includes(
      '<= 0.5: missed (met in 1 of 3 rounds); <= 1: met; <= 0.3: missed; <= 1 (0.333 of a \\| b): met (met in 2 of 3 rounds) |',
    ),
  );
});

test('without the figure, or without the other system, a verdict is unknown; of workloads that did not run there is none', (t) => {
  const targets = [
    { workload: 'hose', figure: 'p99Ms', atMost: 1 },
    { workload: 'hose', figure: 'lost', atMost: 1, ofSystem: 'red' },
    { workload: 'replug', figure: 'replugMs', atMost: 1 },
  ];
  t.deepEqual(
    judge(RESULTS, targets, 'ferrule').map(({ verdict }) => verdict),
    ['unknown', 'unknown'],
  );
});

test('the table has a row per figure, ratios to the base, and the target', (t) => {
  const verdicts = judge(
    RESULTS,
    [{ workload: 'hose', figure: 'cpuPerLineUs', atMost: 0.6, prototype: 0.34 }],
    'ferrule',
  );
  t.deepEqual(tableOf(RESULTS, verdicts, 'ferrule').split('\n'), [
    '| workload | figure | ferrule | a \\| b | red | target |',
    '| --- | --- | --- | --- | --- | --- |',
    '| hose | cpuPerLineUs | 0.5 | 1.2 (x2.4) |  | <= 0.6 [0.34]: met |',
    '| hose | lost | 0 | 3 |  |  |',
  ]);
});

test('what was skipped or failed is named with its reason', (t) => {
  const failed = { ...result('hose', 'c', {}), error: 'no line in 15000 ms' };
  t.deepEqual(notesOf([...RESULTS, failed]), [
    'skipped: hose with red: not installed',
    'FAILED: hose with c: no line in 15000 ms',
  ]);
});

test('memory per connection is counted over the bare server of the same workload', (t) => {
  const results = [
    result('many', 'ferrule', { kibPerConnection: 20 }),
    result('many', 'bare net server', { kibPerConnection: 12 }),
    result('more', 'ferrule', { kibPerConnection: 20 }),
  ];
  t.deepEqual(
    withBareSocket(results).map(({ figures }) => figures.kibOverBareSocket),
    [8, undefined, undefined],
  );
});
