import test from 'ava';
import { Marker } from '../../../src/device/framers/marker.js';
import { fc } from '../../support/properties.js';

/** Where markers end, searched for in the whole text at once, one after the other. */
function endsIn(text: string, marker: string): number[] {
  const ends: number[] = [];
  for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + marker.length))
    ends.push(at + marker.length);
  return ends;
}

function endsInChunks(text: string, marker: string, size: number): number[] {
  const finder = new Marker(Buffer.from(marker));
  const ends: number[] = [];
  for (let before = 0; before < text.length; before += size) {
    const chunk = Buffer.from(text.slice(before, before + size));
    let at = 0;
    for (let end = finder.find(chunk, at, chunk.length); end >= 0; end = finder.find(chunk, at, chunk.length)) {
      ends.push(before + end);
      at = end;
    }
  }
  return ends;
}

const ab = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 60 });
const marker = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 });

test('markers that overlap themselves are found wherever chunks end', (t) => {
  fc.assert(
    fc.property(ab, marker, fc.integer({ min: 1, max: 20 }), (text, wanted, size) => {
      t.deepEqual(endsInChunks(text, wanted, size), endsIn(text, wanted));
    }),
    { numRuns: 2000 },
  );
});

test('a marker that ends behind `to` is not found before the search gets there', (t) => {
  for (const wanted of ['b', 'ab', 'aab']) {
    const finder = new Marker(Buffer.from(wanted));
    const chunk = Buffer.from('aaab');
    t.is(finder.find(chunk, 0, 3), -1);
    t.is(finder.find(chunk, 3, 4), 4);
  }
});

test('after a reset, the half of a marker before it does not count', (t) => {
  const finder = new Marker(Buffer.from('ab'));
  finder.find(Buffer.from('a'), 0, 1);
  finder.reset();
  t.is(finder.find(Buffer.from('b'), 0, 1), -1);
});
