import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { SEED, seededRandom } from '../support/seeded-random.js';
import { textsOf } from '../support/spool-records.js';
import { makeSpoolRig, takeAll } from '../support/spool-rig.js';

const APPENDER = fileURLToPath(new URL('../support/spool-appender.js', import.meta.url));

/** Lets it print `lines` lines and kills it; answers the last number that it printed whole. */
async function killAfter(child: ChildProcess, lines: number): Promise<number> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1));
}

test('after a kill -9 everything is there that an append had resolved for, in order', async (t) => {
  t.log(`seed ${SEED}`);
  const random = seededRandom(SEED);
  const rig = await makeSpoolRig({ maxBytes: 64 * 1024 * 1024 });
  for (let round = 0; round < 4; round++) {
    const dir = `${rig.folder.dir}-${round}`;
    const child = spawn(process.execPath, [APPENDER, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
    const promised = await killAfter(child, 1 + Math.floor(random() * 600));
    const spool = await rig.open({ dir });
    const numbers = textsOf(await takeAll(spool)).map((text) => Number(/^a:(\d+)/.exec(text)?.[1]));
    t.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => index),
    );
    t.true(numbers.length > promised, `${promised} was promised, ${numbers.length - 1} is the last`);
    t.is(spool.messages, numbers.length);
  }
  t.deepEqual(rig.drops, []);
  t.deepEqual(rig.log.at('error'), []);
  await rig.close();
});
