import test from 'ava';
import { CheckBudget } from '../../../src/device/framers/check-budget.js';

test('checksums of up to 256 bytes are always affordable', (t) => {
  const budget = new CheckBudget();
  for (let i = 0; i < 100_000; i++) if (!budget.affords(256)) t.fail(`${i}`);
  t.pass();
});

test('longer ones cost a credit and then what the bytes that come earn', (t) => {
  for (const size of [257, 1000, 4096, 65536, 1024 * 1024]) {
    const budget = new CheckBudget();
    let checked = 0;
    const bytes = 500_000;
    for (let i = 0; i < bytes; i++) {
      budget.earn(1);
      if (budget.affords(size)) checked += size;
    }
    t.true(checked <= 2 * 1024 * 1024 + 16 * bytes, `${size}: ${checked}`);
    t.true(checked > 8 * bytes, `${size}: ${checked}`);
  }
});

test('good frames of any length are always checked', (t) => {
  const budget = new CheckBudget();
  for (let i = 0; i < 100; i++) {
    t.true(budget.affords(1024 * 1024 + 4));
    budget.earn(1024 * 1024 + 4);
  }
});

test('what is earned is not saved up', (t) => {
  const budget = new CheckBudget();
  budget.earn(100_000_000);
  let count = 0;
  while (budget.affords(65536)) count++;
  t.is(count, 32);
});
