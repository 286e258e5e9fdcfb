// A session that does what it is told: how to open by the option `open`, anything else by a command's text. What comes over the
// wire is a reading, and `echo` writes to it.
import { setTimeout as sleep } from 'node:timers/promises';

const options = { safeParse: (data) => ({ success: true, data }) };
const kept = [];

const OPENINGS = {
  async silent() {
    throw new Error('no answer: is it flashed?');
  },
  async buggy(host) {
    host.nothing.here();
  },
  never: () => new Promise(() => {}),
  hangs: () => {
    for (;;);
  },
  exits: () => process.exit(3),
  late: () => sleep(150),
};

let isPaused = false;

/** One chunk in 100 ms, none while `pauses` waits for its bytes to leave. */
async function readSlowly(wire) {
  for (;;) {
    if (!isPaused) wire.read();
    await sleep(100);
  }
}

const COMMANDS = {
  pauses: ({ wire }) => {
    isPaused = true;
    wire.write('slow', () => {
      isPaused = false;
    });
  },
  echo: ({ wire }, text) => wire.write(text),
  flow: async ({ wire }, text) => {
    // 64 KiB as back-pressure allows, with the number of times that it had to wait
    let waits = 0;
    for (let i = 0; i < 64; i++) {
      if (wire.write(Buffer.alloc(1024, text))) continue;
      waits++;
      await new Promise((resolve) => wire.once('drain', resolve));
    }
    return { data: { waits } };
  },
  flood({ wire }) {
    setInterval(() => wire.write(Buffer.alloc(256 * 1024)), 1);
  },
  chatter(host) {
    setInterval(() => {
      for (let i = 0; i < 20_000; i++) host.reading({ text: 'x'.repeat(1000) });
    }, 1);
  },
  many(host, text) {
    for (let i = 0; i < Number(text); i++) host.reading({ i });
  },
  odd(host) {
    for (const value of [42, null, 'text', { rejected: 'no' }]) host.reading(value);
  },
  say(host, text) {
    for (let i = 0; i < Number(text); i++) host.log('warn', `line ${i}`);
  },
  know: (host, text) => host.details({ firmware: text }),
  refuse: () => ({ rejected: 'the board says no' }),
  data: () => ({ data: { position: 7 } }),
  async slow() {
    await sleep(60_000);
  },
  end: ({ wire }, text) => void wire.destroy(new Error(text)),
  throw: () => {
    throw new Error('no such servo');
  },
  later: () =>
    void setTimeout(() => {
      throw new Error('too late');
    }, 5),
  reject: () => void Promise.reject(new Error('nobody waits')),
  exit: () => process.exit(1),
  reallyExit: () => process.reallyExit(1),
  kill: () => process.kill(process.pid, 'SIGTERM'),
  hang: () => {
    for (;;);
  },
  heap: () => {
    for (;;) kept.push({ a: `x${kept.length}`.repeat(20), b: [kept.length, 1.5] });
  },
  buffers: () => {
    setInterval(() => kept.push(Buffer.alloc(16 * 1024 * 1024, 1)), 1);
  },
  sees: () => ({ data: { env: Object.keys(process.env).length, argv: process.argv.length - 2 } }),
};

export default {
  kind: 'session',
  summary: 'does as it is told',
  options,
  commands: { echo: { summary: 'writes' } },
  async open(host, { open, close } = {}) {
    if (open !== undefined) await OPENINGS[open]?.(host);
    if (open === 'slow-reader') void readSlowly(host.wire);
    else if (open !== 'deaf') host.wire.on('data', (bytes) => host.reading({ got: bytes.toString() }));
    host.wire.on('end', () => host.reading({ wire: 'ended' }));
    if (open === 'dumb') return {};
    return {
      command({ verb, channel, payload }) {
        if (verb === 'get') return { data: { fresh: true } };
        if (channel === 'echo') return COMMANDS.echo(host, payload) && undefined;
        const [name, ...rest] = payload.toString().split(' ');
        const answer = COMMANDS[name](host, rest.join(' '));
        return typeof answer === 'object' ? answer : undefined;
      },
      async close() {
        if (close === 'never') await sleep(60_000);
        if (close === 'throws') throw new Error('cannot close');
        host.reading({ closed: true });
        for (const word of close === 'wordy' ? ['STOP 1 ', 'STOP 2 ', 'STOP 3'] : ['bye']) host.wire.write(word);
      },
    };
  },
};
