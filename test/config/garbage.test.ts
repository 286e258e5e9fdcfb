// Whatever stands in a config file, loading answers; it never throws.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables look in a config file

import test from 'ava';
import { stringify } from 'yaml';
import { loadFiles, problemLines } from '../support/config-files.js';
import { fc } from '../support/properties.js';

const KEYS = [
  'gateway',
  'mqtt',
  'spool',
  'http',
  'log',
  'defaults',
  'devices',
  'a',
  'driver',
  'link',
  'framing',
  'type',
];
const WORDS = [
  'serial',
  'tcp',
  'line',
  'tcp://h:1',
  'serial:',
  '${',
  '${A}',
  '*x',
  '<<',
  'embedded',
  '5s',
  '__proto__',
  'constructor',
];

const key = fc.oneof(fc.constantFrom(...KEYS, ...WORDS), fc.string({ maxLength: 6 }));
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<unknown>(...WORDS, null, true, 0, -1, 1.5),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
  ),
}));

test('random trees of known words never throw', (t) => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...KEYS), tree), (value) => {
      for (const line of problemLines(loadFiles({ 'ferrule.yaml': stringify(value) }))) t.false(line.includes('\n'));
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('random text never throws', (t) => {
  const bits = fc.constantFrom(
    ...KEYS,
    ...WORDS,
    ': ',
    '\n',
    '\n  ',
    '{',
    '}',
    '[',
    ']',
    '&x',
    '!file ',
    '"',
    "'",
    '- ',
    '? ',
    '|',
    '\t',
    '#',
    ',',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(bits).map((parts) => parts.join('')),
      ),
      (text) => {
        loadFiles({ 'ferrule.yaml': text, 'devices.d/x.yaml': text });
      },
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test('random environment never throws', (t) => {
  const name = fc
    .array(fc.constantFrom(...KEYS, 'x'), { maxLength: 4 })
    .map((parts) => `FERRULE_${parts.join('__').toUpperCase()}`);
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(fc.json(), fc.constantFrom(...WORDS))), (env) => {
      loadFiles({ 'ferrule.yaml': 'devices: { a: { driver: raw, link: tcp://h:1 } }' }, { env });
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('brackets without end are a problem, not a crash', (t) => {
  t.true(problemLines(loadFiles({ 'ferrule.yaml': '['.repeat(50_000) })).length > 0);
  t.true(problemLines(loadFiles({ 'ferrule.yaml': '{a: '.repeat(500) + '}'.repeat(500) })).length > 0);
  t.deepEqual(problemLines(loadFiles({ 'ferrule.yaml': '#'.repeat(1024 ** 2 + 1) })), [
    'ferrule.yaml:1:1: larger than 1048576 characters',
  ]);
});
