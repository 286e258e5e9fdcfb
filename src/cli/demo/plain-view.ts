// The demo for a pipe or a file: one line per reading and per change of state, no escape codes. Warnings go to stderr.

import type { Clock } from '../../core/clock.js';
import type { Happening } from './device-board.js';
import type { View } from './view.js';

export interface PlainViewOptions {
  readonly clock: Clock;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Makes the view. */
export function makePlainView({ clock, out, err }: PlainViewOptions): View {
  const told = new Map<string, string>();
  const stamp = (): string => new Date(clock.wall()).toISOString().slice(11, 23);
  const tell = (happening: Happening): void => {
    const text = plainText(happening);
    // A device that is away tries again and again: told once.
    if (happening.kind === 'state') {
      if (happening.state === 'connecting' || told.get(happening.device) === text) return;
      told.set(happening.device, text);
    }
    out(`${stamp()} ${text}`);
  };
  return {
    intro: (lines) => lines.forEach(out),
    happened: (happenings) => happenings.forEach(tell),
    log: ({ level, text, stack }) => {
      if (level !== 'info') err(oneLine(`${level}: ${text}`) + (stack === undefined ? '' : `\n${stack}`));
    },
    end: () => {},
  };
}

function plainText(happening: Happening): string {
  switch (happening.kind) {
    case 'reading':
      return oneLine(`${happening.topic} ${happening.text}`);
    case 'state':
      return oneLine(`[${happening.device}] ${happening.state}${happening.reason && `: ${happening.reason}`}`);
    case 'note':
      return oneLine(`[${happening.device}] ${happening.text}`);
  }
}

/** Whatever a device sends, it stays one line and cannot write escape codes. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
}
