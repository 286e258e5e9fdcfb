// Reads the Prometheus text format (0.0.4) strictly, and lints what it finds by the rules of `promtool check metrics`: names,
// units, help, kinds.

export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

interface Draft {
  name: string;
  type: string;
  help: string;
  samples: MetricSample[];
}

const HEAD = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

/** The families of a text; throws at the first line that is not of the format. */
export function parsePrometheus(text: string): MetricFamily[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Draft>();
  const seen = new Set<string>();
  let current: Draft | undefined;
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const head = HEAD.exec(line);
    if (head === null) takeSample(line, current, seen);
    else current = takeHead(line, head, families);
  }
  return [...families.values()];
}

function takeHead(
  line: string,
  [, kind, name = '', rest = '']: readonly string[],
  families: Map<string, Draft>,
): Draft {
  const family = families.get(name) ?? { name, type: '', help: '', samples: [] };
  families.set(name, family);
  const field = kind === 'HELP' ? 'help' : 'type';
  if (family[field] !== '' || family.samples.length > 0) throw new Error(`out of place: ${line}`);
  family[field] = rest;
  return family;
}

function takeSample(line: string, family: Draft | undefined, seen: Set<string>): void {
  const sample = parseSample(line);
  if (family === undefined || !belongs(sample.name, family)) throw new Error(`no TYPE before: ${line}`);
  const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
  if (seen.has(key)) throw new Error(`twice: ${line}`);
  seen.add(key);
  family.samples.push(sample);
}

function parseSample(line: string): MetricSample {
  const [, name, labels = '', number = ''] = SAMPLE.exec(line) ?? [];
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
  if (name === undefined || (Number.isNaN(value) && number !== 'NaN')) throw new Error(`no sample: ${line}`);
  return { name, labels: parseLabels(labels, line), value };
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [whole, key, value] = LABEL.exec(rest) ?? [];
    if (whole === undefined || key === undefined || value === undefined) throw new Error(`bad labels: ${line}`);
    if (key in labels) throw new Error(`label ${key} twice: ${line}`);
    labels[key] = value.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function belongs(sample: string, { name, type }: Draft): boolean {
  if (type === 'histogram') return [`${name}_bucket`, `${name}_sum`, `${name}_count`].includes(sample);
  return type !== '' && sample === name;
}

/** Units that are not base units, and short forms of units. */
const BAD_UNITS =
  /_(?:milliseconds?|microseconds?|nanoseconds?|minutes?|hours?|days?|ms|us|ns|s|sec|kilobytes?|megabytes?|kib|mib|kb|mb|b|bits?|percent)(?:_|$)/;
const KINDS_IN_NAMES = /(?:^|_)(?:counter|gauge|histogram|summary)(?:_|$)/;

interface Rule {
  readonly says: string;
  isBroken(family: MetricFamily, labels: ReadonlySet<string>): boolean;
}

const RULES: readonly Rule[] = [
  { says: 'no help text', isBroken: ({ help }) => help === '' },
  {
    says: 'a counter should end with _total',
    isBroken: ({ name, type }) => type === 'counter' && !name.endsWith('_total'),
  },
  {
    says: 'only a counter may end with _total',
    isBroken: ({ name, type }) => type !== 'counter' && name.endsWith('_total'),
  },
  {
    says: 'ends like a part of a histogram',
    isBroken: ({ name, type }) => type !== 'histogram' && /_(?:bucket|count|sum)$/.test(name),
  },
  { says: 'has the label le', isBroken: ({ type }, labels) => type !== 'histogram' && labels.has('le') },
  { says: 'has the label quantile', isBroken: ({ type }, labels) => type !== 'summary' && labels.has('quantile') },
  { says: 'capitals or colons in its name', isBroken: ({ name }) => /[A-Z:]/.test(name) },
  { says: 'capitals in a label', isBroken: (_, labels) => [...labels].some((label) => /[A-Z]/.test(label)) },
  { says: 'not a base unit', isBroken: ({ name }) => BAD_UNITS.test(name) },
  { says: 'its kind is in its name', isBroken: ({ name }) => KINDS_IN_NAMES.test(name) },
];

/** What promtool would complain of. */
export function lintMetrics(families: readonly MetricFamily[]): string[] {
  return families.flatMap((family) => {
    const labels = new Set(family.samples.flatMap((sample) => Object.keys(sample.labels)));
    return RULES.filter((rule) => rule.isBroken(family, labels)).map(({ says }) => `${family.name}: ${says}`);
  });
}

/** The value of the one sample of that name with these labels; undefined without one. */
export function sampleOf(
  families: readonly MetricFamily[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const fits = (sample: MetricSample): boolean =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
  return families.flatMap(({ samples }) => samples).find(fits)?.value;
}
