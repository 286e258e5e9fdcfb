import test from 'ava';
import scpi from '../../devices/scpi.js';
import { decodeAll, decoderOf, driverContract } from '../contracts/driver.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { driverFixture } from '../support/driver-fixture.js';

const stream = driverFixture('scpi.txt');
const options = {
  readings: { voltage: 'MEAS:VOLT?', current: 'MEAS:CURR?' },
  set: { voltage: 'VOLT {value}', constructor: 'X {value}' },
  every: 1000,
};

driverContract(scpi, { name: 'scpi.txt', stream, options });

test('a poll gives a reading by channel; an error in the queue goes along; what is no number is null', (t) => {
  const { objects, reasons } = decodeAll(scpi, [stream], options);
  t.deepEqual(objects, [
    { voltage: 5.00123, current: 0.12 },
    { voltage: 5.00119, current: null },
    { voltage: 4.99, current: 0.12, error: '-113,"Undefined header; VOLTT"' },
    { voltage: 'CV; on', current: 0 },
  ]);
  t.deepEqual(reasons, ['rejected: nobody has asked: garbled', 'rejected: 1 values, expected 2']);
});

test('a poll begins with the error queue, so that no answer to it is taken for one to a command', (t) => {
  const given = scpi.options.parse(options);
  t.deepEqual(
    scpi.poll?.(given).map(({ payload, everyMs }) => [Buffer.from(payload).toString(), everyMs]),
    [['SYST:ERR?;:MEAS:VOLT?;:MEAS:CURR?', 1000]],
  );
  t.deepEqual(scpi.poll?.(scpi.options.parse({})), []);
});

test('queries that are written from the root, as manuals print them, and common ones get no second colon', (t) => {
  const readings = { voltage: ':MEAS:VOLT?', name: '*IDN?', current: 'MEAS:CURR?' };
  const given = scpi.options.parse({ readings, every: 1000 });
  const [poll] = scpi.poll?.(given) ?? [];
  t.is(Buffer.from(poll?.payload ?? '').toString(), 'SYST:ERR?;:MEAS:VOLT?;*IDN?;:MEAS:CURR?');
  const decoder = decoderOf(scpi, new CollectingSink(), { readings });
  const encoded = decoder.encodeCommand({ verb: 'get', payload: Buffer.alloc(0) });
  t.is(encoded.ok ? encoded.payloads.join('') : '', ':MEAS:VOLT?;*IDN?;:MEAS:CURR?\n');
});

interface Exchange {
  readonly verb?: 'set' | 'get';
  readonly channel?: string;
  readonly payload?: string;
  /** What the instrument sends. */
  readonly says?: string;
  readonly check?: 'complete';
}

/** Sends a command and lets the instrument talk. */
async function exchange({ verb = 'set', channel, payload = '', says = '', check }: Exchange) {
  const sink = new CollectingSink();
  const decoder = decoderOf(scpi, sink, { ...options, ...(check && { check }) });
  const command = { verb, payload: Buffer.from(payload), ...(channel !== undefined && { channel }) };
  const encoded = decoder.encodeCommand(command);
  if (!encoded.ok) return { refused: encoded.reason };
  decoder.push(Buffer.from(says));
  decoder.cancelAnswer();
  return { lines: encoded.payloads.join(''), answer: await encoded.answer, readings: sink.objects };
}

const POLLED = '0,"No error";5;1\n';
const polledReading = { voltage: 5, current: 1 };

test('a command is followed by a look at the error queue, and confirmed by it', async (t) => {
  t.deepEqual(await exchange({ payload: 'OUTP ON', says: `${POLLED}0,"No error"\n` }), {
    lines: '*CLS\nOUTP ON\nSYST:ERR?\n',
    answer: { ok: true },
    readings: [polledReading],
  });
});

test('a question mark within quotes makes no query', async (t) => {
  t.like(await exchange({ payload: 'DISP:TEXT "ready?"' }), { lines: '*CLS\nDISP:TEXT "ready?"\nSYST:ERR?\n' });
});

test('a command that the instrument refuses is an error in its own words', async (t) => {
  const { answer } = await exchange({ payload: 'OUTPP ON', says: '-113,"Undefined header"\r\n' });
  t.deepEqual(answer, { ok: false, reason: 'the instrument says: -113,"Undefined header"' });
});

test('the words of the instrument may have quotes in them, which are written twice', async (t) => {
  const { answer } = await exchange({ payload: 'DISP:TEX "a"', says: '-113,"Undefined header;DISP:TEX ""a"""\n' });
  t.deepEqual(answer, { ok: false, reason: 'the instrument says: -113,"Undefined header;DISP:TEX ""a"""' });
  const { answer: data } = await exchange({ payload: 'DISP:TEXT?', says: '"say ""a"";b"\n' });
  t.deepEqual(data, { ok: true, data: { query: 'DISP:TEXT?', value: 'say "a";b' } });
});

test('where the error queue may hold old errors a command clears it first, and only there', async (t) => {
  const decoder = decoderOf(scpi, new CollectingSink(), options);
  const sent = async (payload: string, says: string): Promise<string> => {
    const encoded = decoder.encodeCommand({ verb: 'set', payload: Buffer.from(payload) });
    if (!encoded.ok) return encoded.reason;
    decoder.push(Buffer.from(says));
    decoder.cancelAnswer();
    await encoded.answer;
    return encoded.payloads.join('');
  };
  t.is(await sent('*IDN?', 'ACME\n'), '*IDN?\n');
  t.is(await sent('A', '0,"No error"\n'), '*CLS\nA\nSYST:ERR?\n', 'what was before us');
  t.is(await sent('B', '0,"No error"\n'), 'B\nSYST:ERR?\n');
  t.is(await sent('*IDN?', 'ACME\n'), '*IDN?\n');
  t.is(await sent('C', '-222,"Data out of range"\n'), 'C\nSYST:ERR?\n');
  t.is(await sent('D', '0,"No error"\n'), '*CLS\nD\nSYST:ERR?\n', 'behind a refusal, of which there may be more');
  t.is(await sent('NOSUCH?', ''), 'NOSUCH?\n');
  t.is(await sent('*IDN?', 'ACME\n'), '*IDN?\n');
  t.is(await sent('E', '0,"No error"\n'), '*CLS\nE\nSYST:ERR?\n', 'behind a query that the instrument did not know');
  t.is(await sent('F', '0,"No error"\n'), 'F\nSYST:ERR?\n');
});

test('check: complete waits for *OPC?', async (t) => {
  const done = await exchange({ payload: '*RST', says: '1\n', check: 'complete' });
  t.deepEqual(done, { lines: '*RST\n*OPC?\n', answer: { ok: true }, readings: [] });
});

test('a query gives its answer as data and as a reading', async (t) => {
  const { answer, readings, lines } = await exchange({ payload: 'MEAS:VOLT? MAX', says: `${POLLED}+1.25E+1\n7\n` });
  t.is(lines, 'MEAS:VOLT? MAX\n');
  t.deepEqual(answer, { ok: true, data: { query: 'MEAS:VOLT? MAX', value: 12.5 } });
  t.deepEqual(readings, [polledReading, { query: 'MEAS:VOLT? MAX', value: 12.5 }]);
  const several = await exchange({ payload: '*IDN?;:SYST:ERR?', says: 'ACME,PS-1,0,1.0;0,"No error"\n' });
  t.deepEqual(several.answer, {
    ok: true,
    data: { query: '*IDN?;:SYST:ERR?', value: ['ACME,PS-1,0,1.0', '0,"No error"'] },
  });
});

test('set/<channel> fills in the template, get reads by channel', async (t) => {
  t.like(await exchange({ channel: 'voltage', payload: '12.5 $&', says: '0,"No error"\n' }), {
    lines: '*CLS\nVOLT 12.5 $&\nSYST:ERR?\n',
    answer: { ok: true },
  });
  t.deepEqual(await exchange({ verb: 'get', says: '5;1\n' }), {
    lines: 'MEAS:VOLT?;:MEAS:CURR?\n',
    answer: { ok: true, data: polledReading },
    readings: [polledReading],
  });
  t.like(await exchange({ verb: 'get', channel: 'current', says: '9.9E37\n' }), {
    answer: { ok: true, data: { current: null } },
  });
});

test('what cannot be meant is refused with the way out', async (t) => {
  const reasons: readonly [Exchange, RegExp][] = [
    [{ payload: '' }, /payload is empty/],
    [{ payload: 'A\nB' }, /several lines/],
    [{ channel: 'power', payload: '1' }, /no channel "power" in options.set; it has: voltage/],
    [{ channel: 'toString', payload: '1' }, /no channel "toString"/],
    [{ channel: 'voltage' }, /payload is empty/],
    [{ verb: 'get', channel: 'power' }, /nothing to read: options.readings has voltage, current/],
  ];
  for (const [given, reason] of reasons) t.regex((await exchange(given)).refused ?? '', reason);
});

test('bad options are told', (t) => {
  const bad = [{ readings: { v: 'MEAS:VOLT' } }, { readings: { v: 'A?;B?' } }, { set: { v: 'VOLT 5' } }, { every: -1 }];
  for (const given of bad) t.false(scpi.options.safeParse(given).success, JSON.stringify(given));
});
