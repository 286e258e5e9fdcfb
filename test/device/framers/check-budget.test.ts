import test from 'ava';
import { CheckBudget } from '../../../src/device/framers/check-budget.js';

test('checksums of up to 256 bytes are always affordable', (t) => {
  const budget = new CheckBudget();
  for (let i = 0; i < 100_000; i++) if (!budget.affords(256)) t.fail(`${i}`);
  t.pass();
});

test('longer ones cost a credit and then, on average, what the bytes that come earn', (t) => {
  for (const size of [257, 1000, 4096, 65536]) {
    const budget = new CheckBudget();
    let checked = 0;
    const bytes = 500_000;
    for (let i = 0; i < bytes; i++) {
      budget.earn(1);
      if (budget.affords(size)) checked += size;
    }
    t.true(checked < 4 * 1024 * 1024 + 1.2 * 256 * bytes, `${size}: ${checked}`);
    t.true(checked > 0.5 * 256 * bytes, `${size}: ${checked}`);
  }
});

test('what is earned is not saved up', (t) => {
  const budget = new CheckBudget();
  budget.earn(1_000_000);
  let count = 0;
  while (budget.affords(65536)) count++;
  t.true(count >= 65 && count < 2000, `${count}`);
});
