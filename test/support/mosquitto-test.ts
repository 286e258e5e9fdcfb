// Tests that need a mosquitto with a config of their own: skipped with a reason where there is none, failed for it with CI=true.

import test, { type ExecutionContext } from 'ava';
import { type Mosquitto, type MosquittoOptions, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';

/** A test with a mosquitto of its own, stopped at the end. */
export function mosquittoTest(
  title: string,
  options: MosquittoOptions,
  body: (t: ExecutionContext, broker: Mosquitto) => Promise<void>,
): void {
  if (skipWithoutMosquitto !== undefined) {
    test.skip(`${title} (${skipWithoutMosquitto})`, () => {});
    return;
  }
  test(title, async (t) => {
    const broker = await startMosquitto(options);
    t.teardown(() => broker.stop());
    await body(t, broker);
  });
}
