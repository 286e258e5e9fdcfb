// The demo for a pipe or a file: one line per reading, per change of state and per change of the hardware itself, no escape codes.
// Warnings go to stderr.

import type { Clock } from '../../core/clock.js';
import type { Happening } from './device-board.js';
import { TRIES_HEADING, tryLine } from './introduction.js';
import { seconds } from './live-table.js';
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
    intro: ({ early, title, tries }) =>
      [...early, title, '', TRIES_HEADING, ...tries.map((one) => tryLine(one)), ''].forEach(out),
    happened: (happenings) => happenings.forEach(tell),
    log: ({ level, text, stack }) => {
      if (level !== 'info') err(oneLine(`${level}: ${text}`) + (stack === undefined ? '' : `\n${stack}`));
    },
    hardware: (device, text) => out(`${stamp()} [${device}] hardware: ${text}`),
    end: () => {},
  };
}

function plainText(happening: Happening): string {
  switch (happening.kind) {
    case 'reading':
      return oneLine(`${happening.topic} ${happening.text}`);
    case 'state':
      return oneLine(`[${happening.device}] ${happening.state}${back(happening.awayMs)}${why(happening.reason)}`);
    case 'note':
      return oneLine(`[${happening.device}] ${happening.text}`);
  }
}

function back(awayMs: number | undefined): string {
  return awayMs === undefined ? '' : ` again after ${seconds(awayMs)} s`;
}

function why(reason: string): string {
  return reason === '' ? '' : `: ${reason}`;
}

/** Whatever a device sends, it stays one line and cannot write escape codes. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ');
}
