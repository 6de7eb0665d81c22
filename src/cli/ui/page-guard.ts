// Who may see a page. It listens on loopback, where every user of this host can connect and every page of the
// browser can send requests to; so what a request must show is decided here, before anything is answered.
//
// Cookies know no ports: a server of another user on 127.0.0.1 would be sent ours. The page therefore lives under a name that
// cannot be guessed, of those below `localhost`, which browsers take to loopback by themselves. The name is a secret like the
// cookie, and a page that was rebound to this address comes with its own.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export type Verdict =
  /** The link was used for the first time, or again by who is in already: the cookie goes out with the way to the page. */
  | { readonly kind: 'enter'; readonly cookie: string }
  | { readonly kind: 'serve' }
  /** Something is to be done. */
  | { readonly kind: 'act' }
  | { readonly kind: 'refuse'; readonly status: 403 | 405; readonly why: string };

export interface PageGuard {
  /** What the address bar shows; the link is this with the word that works once. */
  readonly origin: string;
  link(): string;
  judge(request: {
    readonly method: string;
    readonly path: string;
    readonly query: URLSearchParams;
    readonly headers: IncomingHttpHeaders;
  }): Verdict;
}

interface GuardOptions {
  readonly port: number;
  /** What the user ran. */
  readonly command: string;
  /** Else a page only shows. */
  readonly canAct: boolean;
  /** Monotonic milliseconds. */
  now(): number;
}

const linkLifeMs = 10 * 60_000;
const cookieName = 'latchkey_ui';

export function createPageGuard({ port, command, canAct, now }: GuardOptions): PageGuard {
  const host = `${randomBytes(16).toString('hex')}.localhost:${port}`;
  const origin = `http://${host}`;
  const session = randomBytes(32).toString('base64url');
  let word: string | undefined = randomBytes(32).toString('base64url');
  const linkEndsAt = now() + linkLifeMs;

  const useLink = `open the link that \`${command}\` printed`;
  return {
    origin,
    link: () => `${origin}/?once=${word ?? ''}`,
    judge({ method, path, query, headers }) {
      if (headers.host !== host) return refuse(useLink);
      const isAction = canAct && method === 'POST';
      if (!isAction && method !== 'GET' && method !== 'HEAD')
        return { kind: 'refuse', status: 405, why: 'read-only' };
      // Browsers name the page that a POST comes from.
      if (isAction && headers.origin === undefined) return refuse('not from this page');
      // What another page asks for, or leads to other than by the link.
      if (headers.origin !== undefined && headers.origin !== origin) return refuse('not from another page');
      const site = headers['sec-fetch-site'];
      const isFromHere = site === undefined || site === 'same-origin' || site === 'none';
      const isIn = isFromHere && isSame(cookieOf(headers.cookie), session);
      const shown = query.get('once');
      if (path === '/' && shown !== null && method === 'GET') {
        const isRight = word !== undefined && now() < linkEndsAt && isSame(shown, word);
        if (!isRight && !isIn) return refuse(`this link was used, or is too old: run \`${command}\` again`);
        if (isRight) word = undefined;
        const cookie = `${cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
        return { kind: 'enter', cookie };
      }
      if (!isFromHere) return refuse('not from another page');
      if (!isIn) return refuse(useLink);
      return { kind: isAction ? 'act' : 'serve' };
    },
  };
}

function refuse(why: string): Verdict {
  return { kind: 'refuse', status: 403, why };
}

function cookieOf(header = ''): string {
  for (const part of header.split(';')) {
    const [name, value = ''] = part.trim().split('=', 2);
    if (name === cookieName) return value;
  }
  return '';
}

function isSame(shown: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(shown), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
