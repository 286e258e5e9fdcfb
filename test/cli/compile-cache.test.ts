import test from 'ava';
import { compileCacheFolder, keepCompiled } from '../../src/cli/compile-cache.js';

const home = (): string => '/home/ann';

test('compiled code is kept in the cache folder of the user', (t) => {
  t.is(compileCacheFolder({}, home), '/home/ann/.cache/ferrule');
  t.is(compileCacheFolder({ XDG_CACHE_HOME: '/fast/ann' }, home), '/fast/ann/ferrule');
});

test('the cache folder that systemd gives comes first, and of several the first', (t) => {
  t.is(
    compileCacheFolder({ CACHE_DIRECTORY: '/var/cache/ferrule', XDG_CACHE_HOME: '/x' }, home),
    '/var/cache/ferrule/compiled',
  );
  t.is(compileCacheFolder({ CACHE_DIRECTORY: '/var/cache/a:/var/cache/b' }, home), '/var/cache/a/compiled');
});

test('a user without a home keeps nothing: a folder that all may write to would let others decide what runs', (t) => {
  t.is(
    compileCacheFolder({}, () => '/'),
    undefined,
  );
  t.is(
    compileCacheFolder({}, () => ''),
    undefined,
  );
});

test('a cache folder that cannot be made is no reason to fail', (t) => {
  t.notThrows(() => keepCompiled({ CACHE_DIRECTORY: '/dev/null/no' }));
});
