import test from 'ava';
import { Loan } from '../../src/core/loan.js';

test('memory on loan is given back when the last of its users has done, and only then', (t) => {
  let returns = 0;
  const loan = new Loan(() => (returns += 1));
  t.is(loan.share(), loan);
  loan.done();
  t.is(returns, 0);
  loan.share();
  loan.done();
  t.is(returns, 0);
  loan.done();
  t.is(returns, 1);
});
