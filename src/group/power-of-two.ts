// When to tell of happenings that may repeat for ever: the 1st, 2nd, 4th, 8th ... time.

/** True for those counts. */
export function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
