// Reads answers: `ACK <text>` is yes, `NAK <why>` is no, `throw` is a bug; every other line is a reading.
const options = { safeParse: (data) => ({ success: true, data }) };
export default {
  kind: 'framed',
  summary: 'answers',
  options,
  create: () => ({
    decode: (frame) => ({ text: frame.toString() }),
    encode: ({ payload }) => payload,
    confirm(frame, { payload }) {
      const text = frame.toString();
      if (text === 'throw') throw new Error('cannot read this');
      if (text === 'cyclic') {
        const data = {};
        data.self = data;
        return { ok: true, data };
      }
      if (text.startsWith('ACK')) return { ok: true, data: { text, to: payload.toString() } };
      return text.startsWith('NAK') ? { ok: false, reason: text } : undefined;
    },
  }),
};
