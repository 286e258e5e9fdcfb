import test from 'ava';
import { fail, info, ok, warn } from '../../src/cli/doctor-finding.js';
import { reportLines } from '../../src/cli/doctor-report.js';

test('each finding is a line with its mark and area, further lines and the way out stand below', (t) => {
  const sections = [
    { area: 'config', findings: [fail('a:1 wrong\na:2 wrong', 'mend it')] },
    { area: 'broker', findings: [ok('lets us in'), warn('keeps nothing')] },
    { area: 'ports', findings: [info('/dev/ttyS0')] },
  ];
  t.deepEqual(reportLines(sections), [
    'FAIL  config    a:1 wrong',
    '                a:2 wrong',
    '                -> mend it',
    'ok    broker    lets us in',
    'WARN  broker    keeps nothing',
    '      ports     /dev/ttyS0',
    '1 thing does not work, 1 to look at',
  ]);
});

test('the last line says when all is well', (t) => {
  t.deepEqual(reportLines([{ area: 'a', findings: [ok('fine'), info('so')] }]).at(-1), 'all is well');
  t.is(reportLines([{ area: 'a', findings: [fail('x'), fail('y')] }]).at(-1), '2 things do not work, 0 to look at');
});

test('what comes from afar cannot steer the terminal', (t) => {
  const [line = ''] = reportLines([{ area: 'gateway', findings: [warn('cell: \u001b[2J\u0007\u009b1m\r')] }]);
  t.is(line, 'WARN  gateway   cell: ?[2J??1m?');
});
