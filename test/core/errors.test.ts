import test from 'ava';
import { FerruleError, messageOf } from '../../src/core/errors.js';

class PortBusy extends FerruleError {}

test('an error carries its code, its cause and the name of its class', (t) => {
  const cause = new Error('EBUSY');
  const error = new PortBusy('port-busy', '/dev/ttyUSB0 is held by minicom (pid 12)', { cause });
  t.true(error instanceof FerruleError);
  t.is(error.name, 'PortBusy');
  t.is(error.code, 'port-busy');
  t.is(error.cause, cause);
});

test('anything that was thrown has a text', (t) => {
  t.is(messageOf(new Error('broken')), 'broken');
  t.is(messageOf('broken'), 'broken');
  t.is(messageOf(undefined), 'undefined');
});

test('of an error that stands for several, as of a host with two addresses, the first text is told', (t) => {
  const parts = [
    new Error(''),
    new Error('connect ECONNREFUSED ::1:8377'),
    new Error('connect ECONNREFUSED 127.0.0.1:8377'),
  ];
  t.is(messageOf(new AggregateError(parts)), 'connect ECONNREFUSED ::1:8377');
  t.is(messageOf(new AggregateError(parts, 'both failed')), 'both failed');
  t.is(messageOf(new AggregateError([])), '');
});
