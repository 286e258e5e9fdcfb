import test from 'ava';
import { Plug } from '../../src/hil/plug.js';

/** A plug whose moves take a while, and what was done. `fails` has the next ones in rejected. */
function makePlug() {
  const did: string[] = [];
  const state = { fails: false };
  const slowly = async (what: string): Promise<void> => {
    did.push(`${what}...`);
    await new Promise((resolve) => setImmediate(resolve));
    if (state.fails) throw new Error('EADDRINUSE');
    did.push(what);
  };
  return { plug: new Plug({ putIn: () => slowly('in'), pull: () => slowly('out') }), did, state };
}

test('moves asked for at once are made one after the other', async (t) => {
  const { plug, did } = makePlug();
  await Promise.all([plug.putIn(), plug.pull(), plug.putIn()]);
  t.deepEqual(did, ['in...', 'in', 'out...', 'out', 'in...', 'in']);
});

test('a plug that is in is not put in again, nor pulled when it is out', async (t) => {
  const { plug, did } = makePlug();
  await plug.pull();
  await Promise.all([plug.putIn(), plug.putIn()]);
  await Promise.all([plug.pull(), plug.pull()]);
  t.deepEqual(did, ['in...', 'in', 'out...', 'out']);
});

test('closed while it goes in it comes out again, and never goes in any more', async (t) => {
  const { plug, did } = makePlug();
  const first = plug.putIn();
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, plug.close(), plug.putIn(), plug.close()]);
  await plug.putIn();
  t.deepEqual(did, ['in...', 'in', 'out...', 'out']);
});

test('one that was to go in, but was closed first, does not', async (t) => {
  const { plug, did } = makePlug();
  await Promise.all([plug.putIn(), plug.close()]);
  t.deepEqual(did, []);
});

test('a move that fails is told to who asked for it; those behind it are made', async (t) => {
  const { plug, did, state } = makePlug();
  state.fails = true;
  await t.throwsAsync(plug.putIn(), { message: 'EADDRINUSE' });
  state.fails = false;
  await plug.pull();
  await plug.putIn();
  t.deepEqual(did, ['in...', 'in...', 'in']);
});
