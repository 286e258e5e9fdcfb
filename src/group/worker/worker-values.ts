// Options and framing of a device on their way into a Worker. Structured cloning turns a Buffer into a Uint8Array, and copies the
// whole 8 KiB pool that a small one is a slice of: so they are cut out before, and made Buffers again behind.

/** The same value with each Buffer as a Uint8Array of its own memory. */
export function portable<T>(value: T): T {
  return withBytes(value, (bytes) => new Uint8Array(bytes)) as T; // the same shape
}

/** The same value with each Uint8Array as a Buffer on the same memory. */
export function restored<T>(value: T): T {
  return withBytes(value, ({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length)) as T; // the same shape
}

function withBytes(value: unknown, convert: (bytes: Uint8Array) => Uint8Array): unknown {
  if (value instanceof Uint8Array) return convert(value);
  if (Array.isArray(value)) return value.map((element) => withBytes(element, convert));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, withBytes(element, convert)]));
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
