// Framers by the `framing` of a device. Called for each decoder: a framer starts anew when its driver has crashed.

import type { FramingConfig } from '../config/framing-schema.js';
import { Checksum } from './checksum.js';
import type { Framer } from './framer.js';
import { CheckedFramer } from './framers/checked.js';
import { CobsFramer } from './framers/cobs.js';
import { FixedFramer } from './framers/fixed.js';
import { LengthPrefixFramer } from './framers/length-prefix.js';
import { LineFramer } from './framers/line.js';
import { RawFramer } from './framers/raw.js';
import { RegexFramer } from './framers/regex.js';
import { SilenceFramer } from './framers/silence.js';
import { SlipFramer } from './framers/slip.js';
import { StartEndFramer } from './framers/start-end.js';

/** A framer for `config`, holding nothing yet. */
export function makeFramer(config: FramingConfig): Framer {
  if (config.type === 'raw') return new RawFramer();
  const checksum = config.checksum && new Checksum(config.checksum);
  // These check for themselves: nothing but the checksum tells them where a frame begins, or that a length is wrong.
  if (config.type === 'fixed') return new FixedFramer(config, checksum);
  if (config.type === 'length-prefix') return new LengthPrefixFramer(config, checksum);
  const framer = makePlain(config);
  return checksum
    ? new CheckedFramer(framer, checksum, config.type === 'start-end' ? config.start : undefined)
    : framer;
}

function makePlain(config: Exclude<FramingConfig, { type: 'raw' | 'fixed' | 'length-prefix' }>): Framer {
  switch (config.type) {
    case 'line':
      return new LineFramer(config);
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
