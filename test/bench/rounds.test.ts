import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { parseOptions } from './bench-options.js';
import { describeMachine } from './machine.js';
import { Report } from './report.js';
import type { Result } from './result.js';
import { combine, lacksCalm } from './rounds.js';
import { judge } from './verdict.js';

function round(figures: Record<string, number>, more: Partial<Result> = {}): Result {
  return { workload: 'hose', system: 'ferrule', figures, load: 0.1, ...more };
}

test('of several rounds the middle one counts, and each is kept', (t) => {
  const one = combine([round({ p99Ms: 9 }), round({ p99Ms: 1 }), round({ p99Ms: 2 }, { load: 0.7 })]);
  t.deepEqual(one, round({ p99Ms: 2 }, { load: 0.7, rounds: [{ p99Ms: 9 }, { p99Ms: 1 }, { p99Ms: 2 }] }));
});

test('what was lost, doubled or left over in one round is not forgotten for the others', (t) => {
  const { figures } = combine([
    round({ lost: 0, peakRssMiB: 70 }),
    round({ lost: 3, peakRssMiB: 69 }),
    round({ lost: 0 }),
  ]);
  t.deepEqual(figures, { lost: 3, peakRssMiB: 70 });
});

test('rounds in which others had the processors are left out, but for what was lost in them; if none is calm, all count', (t) => {
  const calm = round({ p99Ms: 2, lost: 0, stolenPercent: 1 });
  const stolen = [5, 30, 40].map((stolenPercent) => round({ p99Ms: 50, lost: 1, stolenPercent }));
  t.deepEqual(combine([calm, ...stolen]).figures, { p99Ms: 2, lost: 1, stolenPercent: 1 });
  const [first = calm, ...others] = stolen;
  t.deepEqual(combine([first, ...others]).figures, { p99Ms: 50, lost: 1, stolenPercent: 30 });
});

test('a further round is worth it while calm ones are lacking, but not of what does not go at all', (t) => {
  const [calm, stolen, failed] = [round({ stolenPercent: 1 }), round({ stolenPercent: 9 }), round({}, { error: 'x' })];
  t.true(lacksCalm([calm, stolen, failed], 2));
  t.false(lacksCalm([calm, stolen, calm], 2));
  t.false(lacksCalm([failed, failed], 2));
});

test('a round that failed is told; the figures are those of the others', (t) => {
  const one = combine([round({}, { error: 'no line' }), round({ p99Ms: 4 }), round({ p99Ms: 5 })]);
  t.is(one.error, 'no line');
  t.deepEqual(one.figures, { p99Ms: 5 });
});

test('of a system with rounds that failed the others are compared with the same rounds of the other system', (t) => {
  const own = combine([round({ cpuPerLineUs: 2 }), round({}, { error: 'no line' }), round({ cpuPerLineUs: 2 })]);
  const theirs = [1, 1, 3].map((cpuPerLineUs) => round({ cpuPerLineUs }, { system: 'socat' }));
  const target = { workload: 'hose', figure: 'cpuPerLineUs', atMost: 1, ofSystem: 'socat' };
  const [verdict] = judge([own, combine([...theirs] as [Result, ...Result[]])], [target], 'ferrule');
  t.deepEqual(verdict?.metRounds, { met: 1, of: 2 });
});

test('a figure that one round does not have is the middle of the others; that none has is none', (t) => {
  t.is(combine([round({ p99Ms: Number.NaN }), round({ p99Ms: 4 })]).figures.p99Ms, 4);
  t.is(combine([round({ p99Ms: Number.NaN }), round({ p99Ms: Number.NaN })]).figures.p99Ms, Number.NaN);
});

test('one round alone is the result', (t) => {
  t.deepEqual(combine([round({ p99Ms: 4 })]), round({ p99Ms: 4 }));
});

test('what a run has found is in its file after each workload', (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'ferrule-report-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, 'out.json');
  const report = new Report(parseOptions(['--json', file, '--rounds', '3']), describeMachine());
  const names = (): string[] => JSON.parse(readFileSync(file, 'utf8')).results.map(({ workload }: Result) => workload);
  report.add([round({ cpuPerLineUs: 1 })]);
  t.deepEqual(names(), ['hose']);
  report.add([round({}, { workload: 'start', error: 'no line' })]);
  t.deepEqual(names(), ['hose', 'start']);
  t.is(JSON.parse(readFileSync(file, 'utf8')).rounds, 3);
  t.true(report.hasFailures);
  t.regex(report.text(), /\| hose \| cpuPerLineUs \| 1 \|.*FAILED: start with ferrule: no line.*out\.json$/s);
});

test('without --up-to there are as many rounds as asked for; fewer than those are refused', (t) => {
  t.is(parseOptions(['--rounds', '3']).upTo, 3);
  t.is(parseOptions(['--rounds', '3', '--up-to', '9']).upTo, 9);
  const message = '--up-to: expected as many as --rounds (3) or more, got 2';
  t.throws(() => parseOptions(['--rounds', '3', '--up-to', '2']), { message });
});

test('a number of rounds that is none is refused, with what was given', (t) => {
  for (const given of ['0', '1.5', 'many']) {
    t.throws(() => parseOptions(['--rounds', given]), { message: `--rounds: expected 1 or more, got ${given}` });
  }
});
