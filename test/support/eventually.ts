// A bounded wait for something that real hardware, sockets or processes do. It ends as soon as the condition holds, so it
// costs no time where all is well, and may be patient: what takes a second here takes ten where others have the processors.
// With a fake clock there is nothing to wait for.

const EVERY_MS = 2;
/** How long tests wait for what must come, unless they say otherwise. */
export const PATIENCE_MS = 30_000;

/** Resolves once `holds()`; rejects naming `what` after `withinMs`. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  withinMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
