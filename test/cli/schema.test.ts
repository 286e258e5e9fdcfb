import test from 'ava';
import { runSchema } from '../../src/cli/schema.js';
import { configReference } from '../../src/config/reference.js';

test('schema prints JSON Schema', (t) => {
  const lines: string[] = [];
  t.is(runSchema({ out: (line) => lines.push(line) }), 0);
  t.is(JSON.parse(lines.join('\n')).title, 'Ferrule config');
});

test('schema --markdown prints the table of keys', (t) => {
  const lines: string[] = [];
  t.is(runSchema({ out: (line) => lines.push(line), markdown: true }), 0);
  t.is(`${lines.join('\n')}\n`, configReference());
});
