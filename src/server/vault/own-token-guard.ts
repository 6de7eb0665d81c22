// The agent's own token never leaves: requests by it that can only serve to reveal it are refused, and every answer to one
// is searched for it before a byte goes out. How a token is found is token-search.ts.
import { Readable } from 'node:stream';
import { LatchkeyError } from '../../base/errors.ts';
import type { ForwardedAnswer } from '../../base/forwarded.ts';
import type { Logger } from '../../base/logger.ts';
import type { SecretValue } from '../../base/secret-value.ts';
import type { Clock } from '../../base/time/clock.ts';
import { createTokenSearch, type TokenSearch } from './token-search.ts';
import type { VaultTarget } from './vault-path-policy.ts';

export interface OwnTokenGuard {
  /**
   * The answer that `ask` gives, searched as far as it is in. Rejects `upstream_answer_invalid`; what comes later than that
   * ends with an error. `shown` is what the caller sent: a token in it is known to them.
   */
  checked(ask: () => Promise<ForwardedAnswer>, shown: Buffer | undefined): Promise<ForwardedAnswer>;
  /** Whether these bytes may go to a caller. */
  isClean(bytes: Buffer): boolean;
}

interface OwnTokenGuardOptions {
  /** The agent's token of this moment, and those before it. */
  ownTokens(): readonly SecretValue[];
  /** Tokens that are kept for callers: each is for its own caller alone. */
  keptTokens(): readonly SecretValue[];
  logger: Logger;
  clock: Clock;
  limits?: Partial<typeof defaultLimits>;
}

const defaultLimits = {
  /** Answers are taken in whole up to this size; longer ones go on as they come, behind the search. */
  maxWholeBytes: 1024 * 1024,
  /** So do those whose end lets us wait, such as `sys/monitor`. */
  patienceMs: 1000,
};

/** `help` tells how a path is used, and on some of them what the request came with; `inspect` shows the request itself. */
export function canOnlyReveal({ path, query }: VaultTarget): boolean {
  if (/(?:^|\/)sys\/internal\/inspect(?:\/|$)/i.test(path)) return true;
  // Some servers take a semicolon for an ampersand.
  const names = [...new URLSearchParams(query.replaceAll(';', '&')).keys()];
  return names.some((name) => name.trim().toLowerCase() === 'help');
}

export function tokenInAnswer(): LatchkeyError {
  return new LatchkeyError(
    'upstream_answer_invalid',
    "the vault's answer held a token of the agent and is not passed on",
  );
}

export function createOwnTokenGuard(options: OwnTokenGuardOptions): OwnTokenGuard {
  const { logger, clock } = options;
  const limits = { ...defaultLimits, ...options.limits };

  function leaking(): LatchkeyError {
    logger.error({}, 'the vault answered with a token of the agent: the answer is not passed on');
    return tokenInAnswer();
  }

  async function* searched(start: Buffer, rest: AsyncIterator<Buffer>, found: TokenSearch) {
    let held: Buffer = Buffer.alloc(0);
    let chunk: Buffer | undefined = start;
    while (chunk !== undefined) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      if (found.isIn(held)) throw leaking();
      const cut = found.mayBeginIn(held) ? Math.max(0, held.length - found.reach) : held.length;
      if (cut > 0) yield held.subarray(0, cut);
      held = held.subarray(cut);
      const next: IteratorResult<Buffer> = await rest.next();
      chunk = next.done === true ? undefined : next.value;
    }
    if (held.length > 0) yield held;
  }

  async function body(answer: ForwardedAnswer, found: TokenSearch): Promise<Readable> {
    const rest: AsyncIterator<Buffer> = answer.body[Symbol.asyncIterator]();
    const chunks: Buffer[] = [];
    let size = 0;
    const late = Promise.withResolvers<'late'>();
    const timer = clock.setTimer(limits.patienceMs, () => late.resolve('late'));
    try {
      for (;;) {
        const next = rest.next();
        const first = await Promise.race([next, late.promise]);
        if (first === 'late' || size > limits.maxWholeBytes) {
          const pending = prepended(next, rest);
          const bytes = searched(Buffer.concat(chunks, size), pending, found);
          return Readable.from(bytes).once('close', () => answer.body.destroy());
        }
        if (first.done === true) break;
        chunks.push(first.value);
        size += first.value.length;
      }
    } finally {
      timer.cancel();
    }
    const whole = Buffer.concat(chunks, size);
    if (found.isIn(whole)) throw leaking();
    return Readable.from(size === 0 ? [] : [whole]);
  }

  return {
    async checked(ask, shown) {
      const before = options.ownTokens();
      const answer = await ask();
      try {
        const kept = options.keptTokens().filter((token) => shown?.includes(token.bytes()) !== true);
        // One that came with a login meanwhile, and one that was refused.
        const found = createTokenSearch([...new Set([...before, ...options.ownTokens()])], kept);
        if (found.isIn(Buffer.from(headerText(answer), 'utf8'))) throw leaking();
        refuseEncoded(answer);
        return { ...answer, body: await body(answer, found) };
      } catch (error) {
        answer.body.destroy();
        throw error;
      }
    },
    isClean(bytes) {
      if (!createTokenSearch(options.ownTokens()).isIn(bytes)) return true;
      leaking();
      return false;
    },
  };
}

/** The agent asks for none: what comes in one all the same could hide anything. */
function refuseEncoded({ headers }: ForwardedAnswer): void {
  const { 'content-encoding': encoding = 'identity' } = headers;
  if (/^(?:identity)?$/i.test(encoding.trim())) return;
  throw new LatchkeyError(
    'upstream_answer_invalid',
    `content-encoding: expected none, for none was asked for, got ${JSON.stringify(encoding.slice(0, 40))}`,
  );
}

function headerText({ headers }: ForwardedAnswer): string {
  return Object.entries(headers)
    .flatMap(([name, value]) => [name, ...(Array.isArray(value) ? value : [value ?? ''])])
    .join('\x01');
}

/** The iterator with a result put back that was asked for already. */
function prepended(
  first: Promise<IteratorResult<Buffer>>,
  rest: AsyncIterator<Buffer>,
): AsyncIterator<Buffer> {
  let pending: Promise<IteratorResult<Buffer>> | undefined = first;
  return {
    next() {
      const result = pending ?? rest.next();
      pending = undefined;
      return result;
    },
  };
}
