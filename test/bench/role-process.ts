// The parent's side of a part of the bench that runs in a process of its own; see role-host.ts.

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Handlers } from './role-host.js';

const ANSWER_LIMIT_MS = 120_000;

/** A running part. `H`: `typeof handlers` of its file. */
export interface RoleProcess<H extends Handlers> {
  readonly pid: number;
  /** Rejects with the part's own error, when it ends, and after two minutes. */
  ask<N extends keyof H & string>(name: N, input: Parameters<H[N]>[0]): Promise<Awaited<ReturnType<H[N]>>>;
  /** Ends it; idempotent. */
  stop(): void;
}

/** Starts `<file>.js` of this folder. */
export function startRole<H extends Handlers>(file: string): RoleProcess<H> {
  const child = fork(fileURLToPath(new URL(`./${file}.js`, import.meta.url)), { serialization: 'advanced' });
  const waiting = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  child.on('message', (answer: Answer) => waiting.get(answer.id)?.(answer));
  child.once('exit', () => {
    for (const [id, settle] of waiting) settle({ id, error: `the ${file} process has ended` });
  });
  return {
    pid: child.pid ?? 0,
    ask(name, input) {
      asked += 1;
      // The cast: the handlers of the child are the H of this process, so its answer is of H's type.
      return answerTo(child, waiting, { id: asked, name, input }) as Promise<never>;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

function answerTo(
  child: ChildProcess,
  waiting: Map<number, (answer: Answer) => void>,
  question: { readonly id: number; readonly name: string; readonly input: unknown },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { id, name } = question;
    const settle = ({ value, error }: Answer): void => {
      clearTimeout(timer);
      waiting.delete(id);
      if (error === undefined) resolve(value);
      else reject(new Error(`${name}: ${error}`));
    };
    const timer = setTimeout(() => settle({ id, error: `no answer in ${ANSWER_LIMIT_MS} ms` }), ANSWER_LIMIT_MS);
    waiting.set(id, settle);
    if (!child.connected) settle({ id, error: 'its process has ended' });
    else child.send(question, (error) => error && settle({ id, error: error.message }));
  });
}
