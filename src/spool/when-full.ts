// What gives way when there is no room.

/** `reject`: nothing that is kept; the caller is asked to wait, and what it appends all the same is dropped. */
export type WhenFull = 'drop-oldest' | 'drop-newest' | 'reject';
