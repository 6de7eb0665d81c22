// The frame of all fakes of a vendor's service: HTTP or TLS, faults on demand, and every request in a log.
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import type { PemPair } from './certificates.ts';

export interface FakeRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly at: number;
}

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string | Buffer;
  /** Takes the answer over: for watches. */
  readonly stream?: (response: ServerResponse) => void;
}

/** What goes wrong with requests from now on; `matches` says with which. */
export interface FakeFault {
  readonly matches?: (request: FakeRequest) => boolean;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly text?: string;
  /** `hang`: no answer; `slow`: byte by byte; `cut`: the connection ends within the body; `reset`: before it. */
  readonly how?: 'hang' | 'slow' | 'cut' | 'reset';
  /** The `Date` header is wrong by so much. */
  readonly skewMs?: number;
}

export interface FakeService {
  readonly address: string;
  readonly port: number;
  readonly requests: FakeRequest[];
  fault: FakeFault | undefined;
  /** Ends the open connections: streams too. */
  drop(): void;
  /** Nothing listens any more; `up` listens at the same port again. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export type FakeHandler = (request: FakeRequest) => FakeAnswer | undefined | Promise<FakeAnswer | undefined>;

export async function startFakeService(t: Test, handle: FakeHandler, tls?: PemPair): Promise<FakeService> {
  const requests: FakeRequest[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => void serve(request, response);
  const server =
    tls === undefined
      ? createPlainServer(listener)
      : createTlsServer({ cert: tls.cert, key: tls.key }, listener);
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const service: FakeService = {
    address: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests,
    fault: undefined,
    drop: () => server.closeAllConnections(),
    async down() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
    up: () => listen(port),
  };
  t.teardown(async () => {
    if (server.listening) await service.down();
  });

  function listen(at: number): Promise<void> {
    return new Promise((done) => server.listen(at, '127.0.0.1', done));
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'http://fake');
    const seen: FakeRequest = {
      method: request.method ?? 'GET',
      url: request.url ?? '/',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      at: Date.now(),
    };
    requests.push(seen);
    const { fault } = service;
    const isFaulty = fault !== undefined && (fault.matches?.(seen) ?? true);
    const isAnswered = isFaulty && (fault.status !== undefined || fault.text !== undefined);
    const answer = isAnswered ? fault : await handle(seen);
    write(response, answer ?? { status: 404, json: {} }, isFaulty ? fault : undefined);
  }

  return service;
}

function write(response: ServerResponse, answer: FakeAnswer, fault: FakeFault | undefined): void {
  if (fault?.how === 'hang') return;
  if (fault?.how === 'reset') {
    response.destroy();
    return;
  }
  if (answer.stream !== undefined) {
    answer.stream(response);
    return;
  }
  const body = Buffer.from(answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json)));
  const headers = {
    'content-type': answer.json === undefined ? 'text/plain' : 'application/json',
    ...answer.headers,
  };
  const date = fault?.skewMs === undefined ? {} : { date: new Date(Date.now() + fault.skewMs).toUTCString() };
  response.writeHead(answer.status ?? 200, { ...headers, ...date, 'content-length': body.length });
  if (fault?.how === 'cut') {
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  } else if (fault?.how === 'slow') {
    trickle(response, body);
  } else {
    response.end(body);
  }
}

function trickle(response: ServerResponse, body: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (response.destroyed || at >= body.length) clearInterval(timer);
    else response.write(body.subarray(at, at + 1));
    at += 1;
  }, 50);
  response.once('close', () => clearInterval(timer));
}
