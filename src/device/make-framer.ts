// Makes the framer that a device's `framing` config asks for. Called by the group for each device and each connection.

import type { FramingConfig, FramingOf } from '../config/framing-schema.js';
import { Checksum, withChecksum } from './checksum.js';
import type { Framer } from './framer.js';
import { CobsFramer } from './framers/cobs.js';
import { FixedFramer } from './framers/fixed.js';
import { LengthPrefixFramer } from './framers/length-prefix.js';
import { LineFramer } from './framers/line.js';
import { RawFramer } from './framers/raw.js';
import { RegexFramer } from './framers/regex.js';
import { SilenceFramer } from './framers/silence.js';
import { SlipFramer } from './framers/slip.js';
import { StartEndFramer } from './framers/start-end.js';

/** A new framer, with nothing held. One per stream: it keeps what is left of a chunk. */
export function makeFramer(config: FramingConfig): Framer {
  if (config.type === 'raw') return new RawFramer();
  const checksum = config.checksum && new Checksum(config.checksum);
  if (config.type === 'fixed') return new FixedFramer(config, checksum);
  const framer = makePlain(config);
  return checksum ? withChecksum(framer, checksum) : framer;
}

function makePlain(config: Exclude<FramingConfig, FramingOf<'raw' | 'fixed'>>): Framer {
  switch (config.type) {
    case 'line':
      return new LineFramer(config);
    case 'length-prefix':
      return new LengthPrefixFramer(config);
    case 'start-end':
      return new StartEndFramer(config);
    case 'silence':
      return new SilenceFramer(config);
    case 'slip':
      return new SlipFramer(config);
    case 'cobs':
      return new CobsFramer(config);
    case 'regex':
      return new RegexFramer(config);
  }
}
