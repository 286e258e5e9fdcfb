// Answers each frame with something that is no reading.
const options = { safeParse: (data) => ({ success: true, data }) };
const ANSWERS = [42, 'text', null, () => {}, Promise.resolve({}), 10n, [[]], new Map(), Symbol('s')];
export default {
  kind: 'framed',
  summary: 'nonsense',
  options,
  create: () => {
    let n = 0;
    return { decode: () => ANSWERS[n++ % ANSWERS.length], encode: () => 'no bytes' };
  },
};
