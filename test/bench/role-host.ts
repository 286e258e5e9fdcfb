// The child's side of a part of the bench that runs in a process of its own (generator, sink, broker): answers what its parent
// asks, one message per question, and ends with its parent, however that ended.

/** What a part can be asked. */
// `never`: each takes its own kind of input; who asks is held to it by RoleProcess<typeof handlers>.
export type Handlers = Readonly<Record<string, (input: never) => unknown>>;

/** One question. */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}

/** Its answer. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Serves until the parent lets go. */
export function serveRole(handlers: Handlers): void {
  process.on('message', (question: Question) => void answer(handlers, question));
  process.on('disconnect', () => process.exit(0));
  process.on('SIGINT', () => {}); // Ctrl-C reaches the whole terminal; the parent decides
}

async function answer(handlers: Handlers, { id, name, input }: Question): Promise<void> {
  try {
    send({ id, value: await handlers[name]?.(input as never) }); // see Handlers
  } catch (error) {
    send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function send(answer: Answer): void {
  process.send?.(answer, () => {}); // a parent that is gone wants no answer
}
