// Collects one answer of undici whole, without a stream, an abort signal or a resource of its own for it: polls are many, and
// nearly all that such a poll costs is what is set up around it.
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { LatchkeyError } from '../../base/errors.ts';
import { jsonExcess } from '../../base/text/json-excess.ts';
import type { OpenRequest } from './open-requests.ts';
import { withSingleHeaders } from './single-headers.ts';

interface CollectedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface WholeAnswerOptions extends Pick<OpenRequest, 'signal' | 'endsAt'> {
  /** Monotonic milliseconds: so long it waits for the answer to begin; `endsAt` is for the whole of it. */
  readonly beginsBy: number;
  readonly maxBodyBytes: number;
  /** The error for a body that is longer, or that as JSON is more than could be gone through: how it is too much. */
  readonly oversized: (excess?: string) => Error;
}

export class WholeAnswer implements Dispatcher.DispatchHandler, OpenRequest {
  readonly answer: Promise<CollectedAnswer>;
  readonly signal: AbortSignal;
  endsAt: number;
  /** It was given up because its time was over. */
  isOver = false;
  hasBegun = false;
  readonly #options: WholeAnswerOptions;
  #resolve: (answer: CollectedAnswer) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #reason: Error | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(options: WholeAnswerOptions) {
    this.#options = options;
    this.signal = options.signal;
    this.endsAt = options.beginsBy;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Also before it was sent: then it is not sent any more. */
  giveUp(isOver: boolean): void {
    this.isOver ||= isOver;
    this.#fail(new LatchkeyError('aborted', 'given up'));
  }

  #fail(reason: Error): void {
    this.#reason ??= reason;
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#reason !== undefined) controller.abort(this.#reason);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200) return;
    this.hasBegun = true;
    this.endsAt = this.#options.endsAt;
    this.#status = status;
    this.#headers = withSingleHeaders(headers);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size <= this.#options.maxBodyBytes) this.#chunks.push(chunk);
    else this.#fail(this.#options.oversized());
  }

  onResponseEnd(): void {
    const [first] = this.#chunks;
    const body = this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks, this.#size);
    const excess = jsonExcess(body);
    if (excess !== undefined) this.#reject(this.#options.oversized(excess));
    else this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}
