// What `ferrule doctor` prints. Pure.
//
//   FAIL  links     scale: no such port /dev/ttyUSB0
//                   -> what to do

import type { Examination, Finding } from './doctor-finding.js';

/** What was found in one area. */
export interface Section extends Examination {
  readonly area: string;
}

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: 'ok  ', info: '    ', warn: 'WARN', fail: 'FAIL' };
const AREA_WIDTH = 10;
const INDENT = ' '.repeat(MARKS.ok.length + 2 + AREA_WIDTH);

/** The lines, and last how many do not work. Whatever a broker or a device has sent, a terminal only gets text. */
export function reportLines(sections: readonly Section[]): string[] {
  const lines = sections.flatMap(({ area, findings }) => findings.flatMap((finding) => linesOf(area, finding)));
  return [...lines, summary(sections.flatMap(({ findings }) => findings))].map(plain);
}

function linesOf(area: string, { level, text, todo }: Finding): string[] {
  const [first = '', ...more] = text.split('\n');
  const head = `${MARKS[level]}  ${area.padEnd(AREA_WIDTH)}${first}`;
  return [head, ...more.map((line) => INDENT + line), ...(todo === undefined ? [] : [`${INDENT}-> ${todo}`])];
}

function summary(findings: readonly Finding[]): string {
  const count = (wanted: Finding['level']): number => findings.filter(({ level }) => level === wanted).length;
  const [failed, warned] = [count('fail'), count('warn')];
  if (failed + warned === 0) return 'all is well';
  return `${failed} ${failed === 1 ? 'thing does' : 'things do'} not work, ${warned} to look at`;
}

function plain(line: string): string {
  return line.replace(/\p{Cc}/gu, '?');
}
