import test from 'ava';
import { runSend, type SendOptions } from '../../src/cli/send.js';

async function send(given: Partial<SendOptions>): Promise<{ code: number; err: string[] }> {
  const err: string[] = [];
  const code = await runSend({
    cwd: '/nowhere',
    env: {},
    device: 'scale',
    verb: 'set',
    hex: false,
    json: false,
    out: () => {},
    err: (line) => err.push(line),
    ...given,
  });
  return { code, err };
}

for (const [what, given, sentence] of [
  ['no payload', {}, /^the payload is missing: ferrule send <device> <payload>$/],
  ['a name that is none', { device: 'a/#', payload: 'x' }, /^"a\/#" is no name of a device: it contains "#"/],
  ['half a byte', { payload: '0a b', hex: true }, /^--hex: expected pairs of hexadecimal digits, .*got "0a b"$/],
  ['a channel of two segments', { payload: 'x', channel: 'a/b' }, /^--channel: expected a word/],
  ['a channel of the line', { payload: 'x', channel: 'a', verb: 'write' }, /^--channel: --write sends bytes/],
  ['a wait without a unit', { payload: 'x', wait: 'soon' }, /^--wait: expected a duration such as .*, got "soon"$/],
] as const) {
  test(`${what} is said before anything is looked for, exit code 64`, async (t) => {
    const { code, err } = await send(given);
    t.is(code, 64);
    t.regex(err.join('\n'), sentence);
  });
}

test('without a config it says where it looked, exit code 78', async (t) => {
  const { code, err } = await send({ payload: 'x', path: '/nowhere/ferrule.yaml' });
  t.is(code, 78);
  t.regex(err.join('\n'), /no config file; looked for \/nowhere\/ferrule\.yaml/);
});
