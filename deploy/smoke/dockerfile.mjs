// Reads a Dockerfile into its instructions, and refuses what it does not know: a line that nobody here can run would otherwise
// go unproven. Pure; `build-rootfs.mjs` runs what this gives, the tests check it.
//
//   { line: 12, name: 'COPY', flags: { from: 'build' }, args: ['/src/dist', '/app/dist'], isExec: false }

const KNOWN = new Set([
  'ARG', 'FROM', 'LABEL', 'ENV', 'WORKDIR', 'COPY', 'RUN', 'USER', 'VOLUME', 'STOPSIGNAL', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD',
]);
/** Instructions whose arguments are one command, in exec form or for a shell. */
const COMMANDS = new Set(['RUN', 'ENTRYPOINT', 'CMD']);
const KNOWN_FLAGS = {
  FROM: ['platform'],
  COPY: ['from', 'chown'],
  HEALTHCHECK: ['interval', 'timeout', 'start-period', 'retries'],
};

/** The instructions of a Dockerfile, in order. Throws with the line of the first one that is not understood. */
export function parseDockerfile(text) {
  return logicalLines(text).map(({ line, content }) => parseInstruction(line, content));
}

/** Comments gone, lines that end in a backslash joined. */
function logicalLines(text) {
  const lines = [];
  let open;
  for (const [index, raw] of text.split('\n').entries()) {
    if (/^\s*(?:#|$)/.test(raw)) continue;
    const isContinued = raw.endsWith('\\');
    const part = isContinued ? raw.slice(0, -1) : raw;
    if (open === undefined) open = { line: index + 1, content: part.trim() };
    else open.content += ` ${part.trim()}`;
    if (isContinued) continue;
    lines.push(open);
    open = undefined;
  }
  if (open !== undefined) throw new Error(`line ${open.line}: the file ends in the middle of it`);
  return lines;
}

function parseInstruction(line, content) {
  const [, name, rest] = /^([A-Za-z]+)\s+(.*)$/.exec(content) ?? [];
  if (name === undefined || !KNOWN.has(name)) throw new Error(`line ${line}: cannot run "${content}"`);
  const { flags, text } = takeFlags(line, name, rest);
  return { line, name, flags, ...argumentsOf(line, name, text) };
}

function takeFlags(line, name, rest) {
  const flags = {};
  let text = rest;
  for (let match; (match = /^--([a-z-]+)=(\S+)\s+/.exec(text)); text = text.slice(match[0].length)) {
    if (!KNOWN_FLAGS[name]?.includes(match[1])) throw new Error(`line ${line}: cannot run ${name} with --${match[1]}`);
    flags[match[1]] = match[2];
  }
  if (text.startsWith('--')) throw new Error(`line ${line}: cannot read the flags of "${text}"`);
  return { flags, text };
}

function argumentsOf(line, name, text) {
  if (name === 'HEALTHCHECK') {
    if (!text.startsWith('CMD ')) throw new Error(`line ${line}: HEALTHCHECK wants CMD`);
    return execOrShell(line, text.slice(4).trim());
  }
  if (COMMANDS.has(name) || text.startsWith('[')) return execOrShell(line, text);
  if (name === 'ENV' || name === 'LABEL' || name === 'ARG') return { args: pairs(line, text), isExec: false };
  return { args: text.split(/\s+/), isExec: false };
}

/** `["node", "x"]` is run as it is; anything else goes to a shell. */
function execOrShell(line, text) {
  if (!text.startsWith('[')) return { args: [text], isExec: false };
  try {
    return { args: JSON.parse(text), isExec: true };
  } catch {
    throw new Error(`line ${line}: not a JSON list: ${text}`);
  }
}

/** `A=b C="d e"` -> [['A', 'b'], ['C', 'd e']]. */
function pairs(line, text) {
  const found = [...text.matchAll(/([\w.-]+)=(?:"([^"]*)"|(\S*))(?:\s+|$)/g)];
  if (found.map(([whole]) => whole).join('') !== text) throw new Error(`line ${line}: not a list of NAME=value: ${text}`);
  return found.map(([, name, quoted, plain]) => [name, quoted ?? plain]);
}

/** `${NAME}` replaced from `values`. A name that is not there is a mistake in the Dockerfile. */
export function substitute(line, text, values) {
  return text.replaceAll(/\$\{(\w+)\}|\$(\w+)/g, (_, braced, bare) => {
    const value = values[braced ?? bare];
    if (value === undefined) throw new Error(`line ${line}: nothing says what $${braced ?? bare} is`);
    return value;
  });
}
