// Throws on a frame `throw`, at once or later; ends its process on a frame `exit`; sends itself signals on `kill`.
const options = { safeParse: (data) => ({ success: true, data }) };
export default {
  kind: 'framed',
  summary: 'throws',
  options,
  create: (given) => {
    if (given.inCreate) throw new Error('no board');
    return {
      decode(frame) {
        const text = frame.toString();
        if (text === 'throw') throw new TypeError('cannot read this');
        if (text === 'later')
          setTimeout(() => {
            throw new Error('too late');
          }, 5);
        if (text === 'reject') void Promise.reject(new Error('nobody waits'));
        if (text === 'exit') process.exit(1);
        if (text === 'kill') process.kill(process.pid, 'SIGTERM');
        if (text === 'print') process.stdout.write(`${'long line '.repeat(100)}\n`.repeat(100));
        return { text };
      },
      encode({ payload }) {
        if (payload.toString() === 'throw') throw new Error('no such command');
        return payload;
      },
    };
  },
};
