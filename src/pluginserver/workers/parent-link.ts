import type { Answer, ToParent, ToWorker } from './messages.js';

type Question =
  | Omit<Extract<ToParent, { type: 'start' }>, 'request'>
  | Omit<Extract<ToParent, { type: 'find' }>, 'request'>
  | Omit<Extract<ToParent, { type: 'restart' }>, 'request'>;

/** A worker's end of the channel to its parent. */
export class ParentLink {
  readonly #pending = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  #requests = 0;
  #gone = false;

  /** Starts to listen. `onMessage` gets what is not an answer; `onGone` is called once when the parent has ended. */
  constructor(onMessage: (message: ToWorker, handle: unknown) => void, onGone: () => void) {
    process.on('message', (message: ToWorker, handle: unknown) => {
      if (message.type === 'answer') this.#answer(message.request, message.result);
      else onMessage(message, handle);
    });
    process.on('disconnect', () => {
      this.#gone = true;
      for (const { reject } of this.#pending.values()) reject(new Error('the parent process has ended'));
      this.#pending.clear();
      onGone();
    });
  }

  tell(message: ToParent): void {
    // A send error means that the parent is gone, which `disconnect` reports.
    if (!this.#gone) process.send?.(message, undefined, {}, () => {});
  }

  /** @throws Error when the parent has ended. */
  ask(question: Question): Promise<Answer> {
    if (this.#gone) return Promise.reject(new Error('the parent process has ended'));
    const request = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(request, { resolve, reject });
      this.tell({ ...question, request });
    });
  }

  #answer(request: number, answer: Answer): void {
    const pending = this.#pending.get(request);
    this.#pending.delete(request);
    pending?.resolve(answer);
  }
}
