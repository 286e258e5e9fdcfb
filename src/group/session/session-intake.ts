// Main thread: bytes on their way to a session. One batch is out at a time; what comes meanwhile gathers and travels at once.
//
//   add -> [pending] -> batch -> [out] -> taken

export class SessionIntake {
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #outBytes = 0;
  #total = 0;

  /** Bytes added and not taken by the session. */
  get backlog(): number {
    return this.#pendingBytes + this.#outBytes;
  }

  /** Bytes that have gone out. */
  get total(): number {
    return this.#total;
  }

  add(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  /** Puts out all that has gathered, as memory of its own; undefined while a batch is out, or if there is nothing. */
  batch(): ArrayBuffer | undefined {
    if (this.#outBytes > 0 || this.#pendingBytes === 0) return undefined;
    const batch = new Uint8Array(this.#pendingBytes);
    let at = 0;
    for (const chunk of this.#pending) {
      batch.set(chunk, at);
      at += chunk.length;
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#outBytes = at;
    this.#total += at;
    return batch.buffer;
  }

  /** The session has taken the batch. */
  taken(): void {
    this.#outBytes = 0;
  }

  /** Lets go of all. */
  clear(): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#outBytes = 0;
  }
}
