// Loops for ever on a frame that says so: `loop`, or `regex` for a pattern that backtracks without end.
const options = { safeParse: (data) => ({ success: true, data }) };
export default {
  kind: 'framed',
  summary: 'hangs',
  options,
  create: () => ({
    decode(frame) {
      const text = frame.toString();
      if (text === 'loop') for (;;);
      if (text === 'regex') /^(a+)+$/.test(`${'a'.repeat(60)}b`);
      if (text === 'later') queueMicrotask(() => spin());
      return { text };
    },
    encode({ payload }) {
      if (payload.toString() === 'loop') for (;;);
      return payload;
    },
    settle() {
      return undefined;
    },
  }),
};

function spin() {
  queueMicrotask(spin);
}
