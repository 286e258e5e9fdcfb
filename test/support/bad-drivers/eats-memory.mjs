// Keeps all it can get on a frame `heap`, and buffers on a frame `buffers`.
const options = { safeParse: (data) => ({ success: true, data }) };
const kept = [];
export default {
  kind: 'framed',
  summary: 'eats memory',
  options,
  create: () => ({
    decode(frame) {
      const text = frame.toString();
      if (text === 'heap') for (;;) kept.push({ a: `x${kept.length}`.repeat(20), b: [kept.length, 1.5] });
      if (text === 'buffers') for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
      if (text === 'flood') return Array.from({ length: 10 }, () => ({ text: 'x'.repeat(1024 * 1024) }));
      return { text };
    },
  }),
};
