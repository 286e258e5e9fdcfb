// Says what a driver in a Worker can see: its options, environment, arguments.
const options = { safeParse: (data) => ({ success: true, data }) };
export default {
  kind: 'framed',
  summary: 'tells',
  options,
  commands: { level: { summary: 'any' } },
  create: (given) => {
    const seen = [];
    return {
      decode(frame) {
        const text = frame.toString();
        if (text === 'settle') {
          seen.push(text);
          return undefined;
        }
        return {
          text,
          isBuffer: Buffer.isBuffer(given.prefix),
          prefix: String(given.prefix),
          env: Object.keys(process.env).length,
          argv: process.argv.length - 2,
        };
      },
      encode: ({ channel, verb, payload }) => [Buffer.from(`${verb} ${channel} `), payload],
      settle: () => (seen.length > 0 ? { settled: seen.splice(0).length } : undefined),
      settleMs: 20,
    };
  },
};
