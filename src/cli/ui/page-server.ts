// A page over HTTP on loopback, for the user who started it alone: judged first, then three files, questions, one stream and,
// where there are any, things to do. It passes on nothing of a request but the query of a question.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LatchkeyError } from '../../base/errors.ts';
import { createPageGuard, type PageGuard } from './page-guard.ts';

export interface PageServer {
  readonly link: string;
  close(): Promise<void>;
}

interface PageServerOptions {
  /** Of the folder beside the program in which its files are. */
  readonly name: string;
  /** What the user ran. */
  readonly command: string;
  /** Tells all there is, then what differs, until what it returns is called. */
  watch(tell: (event: string, data: string) => void): () => void;
  /** 0: any that is free. */
  readonly port: number;
  /** Answers by path, as JSON. */
  readonly questions: Readonly<Record<string, (query: URLSearchParams) => Promise<unknown>>>;
  /** By path: what POST does, without a body, and answers as JSON. */
  readonly actions?: Readonly<Record<string, () => Promise<unknown>>>;
}

/** Nothing from elsewhere is loaded, nothing is sent elsewhere, nobody frames it. */
const safeHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

const files: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
};

/** No redirect: who came from another page would not be sent along with a strict cookie. This one leads to itself. */
const entrance =
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>Latchkey</title>';

const mostStreams = 16;
const maxUnreadBytes = 4 * 1024 * 1024;
const tries = 10;

export async function startPageServer(options: PageServerOptions): Promise<PageServer> {
  const { name, command, questions, actions = {} } = options;
  const streams = new Set<ServerResponse>();
  let guard: PageGuard | undefined;

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.parse(request.url ?? '/', 'http://page.invalid');
    // Whoever can connect can send it, so it must not end the program.
    if (url === null) return void end(response, 400, 'text/plain; charset=utf-8', 'no path\n');
    const { pathname: path, searchParams: query } = url;
    const { method = '', headers } = request;
    const verdict = guard?.judge({ method, path, query, headers });
    if (verdict === undefined || verdict.kind === 'refuse') {
      end(response, verdict?.status ?? 403, 'text/plain; charset=utf-8', `${verdict?.why ?? 'not yet'}\n`);
    } else if (verdict.kind === 'enter') {
      response.setHeader('set-cookie', verdict.cookie);
      end(response, 200, 'text/html; charset=utf-8', entrance);
    } else if (verdict.kind === 'act') void act(path, response);
    else if (path === '/events') openStream(response);
    else void answer(path, query, response);
  }

  async function answer(path: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const file = files[path];
    const question = questions[path];
    try {
      if (file !== undefined)
        end(response, 200, file[1], readFileSync(new URL(`./${name}/${file[0]}`, import.meta.url)));
      else if (question !== undefined)
        end(response, 200, 'application/json', JSON.stringify(await question(query)));
      else end(response, 404, 'text/plain; charset=utf-8', 'no such path\n');
    } catch (error) {
      fail(response, error);
    }
  }

  async function act(path: string, response: ServerResponse): Promise<void> {
    const action = actions[path];
    try {
      if (action === undefined) end(response, 404, 'text/plain; charset=utf-8', 'no such path\n');
      else end(response, 200, 'application/json', JSON.stringify(await action()));
    } catch (error) {
      fail(response, error);
    }
  }

  function openStream(response: ServerResponse): void {
    if (streams.size >= mostStreams) {
      end(response, 503, 'text/plain', 'too many pages are open\n');
      return;
    }
    streams.add(response);
    response.writeHead(200, { ...safeHeaders, 'content-type': 'text/event-stream' });
    response.write('retry: 1000\n\n');
    const stop = options.watch((event, data) => {
      if (response.writableLength > maxUnreadBytes) response.destroy();
      else response.write(`event: ${event}\ndata: ${data}\n\n`);
    });
    response.once('close', () => {
      streams.delete(response);
      stop();
    });
  }

  const { port, servers } = await listenOnBoth(handle, options.port);
  guard = createPageGuard({
    port,
    command,
    canAct: options.actions !== undefined,
    now: () => performance.now(),
  });
  return {
    link: guard.link(),
    async close() {
      for (const stream of streams) stream.destroy();
      await Promise.all(
        servers.map((server) => {
          server.closeAllConnections();
          return new Promise((resolve) => server.close(resolve));
        }),
      );
    },
  };
}

function end(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  if (!response.headersSent) response.writeHead(status, { ...safeHeaders, 'content-type': type });
  response.end(body);
}

function fail(response: ServerResponse, error: unknown): void {
  const message = error instanceof LatchkeyError ? error.message : 'the question failed';
  end(response, 502, 'application/json', JSON.stringify({ error: message }));
}

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

/** Browsers try one loopback address after the other: on the second, somebody else must not be there. */
async function listenOnBoth(handle: Handle, wanted: number): Promise<{ port: number; servers: Server[] }> {
  for (let round = 1; ; round += 1) {
    const first = await listen(handle, '127.0.0.1', wanted);
    const { port } = first.address() as AddressInfo;
    try {
      return { port, servers: [first, await listen(handle, '::1', port)] };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return { port, servers: [first] };
      first.close();
      if (wanted === 0 && code === 'EADDRINUSE' && round < tries) continue;
      throw cannotListen(port, code);
    }
  }
}

function listen(handle: Handle, host: string, port: number): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 }, handle);
  server.maxConnections = 64;
  server.once('error', reject);
  server.listen({ host, port }, () => resolve(server));
  return promise.catch((error: NodeJS.ErrnoException) => {
    throw host === '127.0.0.1' ? cannotListen(port, error.code) : error;
  });
}

function cannotListen(port: number, code = ''): LatchkeyError {
  return new LatchkeyError('listener_failed', `ui: cannot listen at port ${port} of loopback: ${code}`, {
    remedy: 'name another with --port, or none',
  });
}
