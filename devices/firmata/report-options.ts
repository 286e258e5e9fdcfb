// Options that every driver of a Firmata board has: how it is read, and when its values are told.

import { z } from 'ferrule/driver';

export const reportOptions = {
  /** A reading each so many ms; 0: only on change. */
  every_ms: z.int().min(0).max(86_400_000).default(0),
  /** Whether a change is a reading. */
  on_change: z.boolean().default(true),
  /** Changes within so many ms are one reading. */
  gather_ms: z.int().min(0).max(60_000).default(20),
  /** How often the board looks at its analog inputs, ms. */
  sampling_ms: z.int().min(10).max(16_000).default(19),
  /** How long a board may take to answer after its port was opened, ms. */
  answer_within_ms: z.int().min(500).max(25_000).default(8000),
};
