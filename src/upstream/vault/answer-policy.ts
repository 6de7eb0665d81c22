// What Vault's answers mean: is the server as a whole away, or is it this request that is refused, and why.
import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject, parseJsonBytes } from '../../base/text/json.ts';
import { shorten } from '../../base/text/shorten.ts';
import { UpstreamError } from '../../base/upstream-error.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { retryAfterMs } from '../http/retry-after.ts';

export interface VaultAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly address: string;
}

const longestMessage = 300;

/** The body as a JSON object; undefined when it is anything else. */
export function answerJson(answer: Pick<VaultAnswer, 'body'>): JsonObject | undefined {
  if (answer.body.length === 0) return undefined;
  try {
    const value = parseJsonBytes(answer.body);
    return isJsonObject(value) ? value : undefined;
  } catch {
    // The error of the parser quotes its input, which may be a secret.
    return undefined;
  }
}

/** The texts under `errors` (or `warnings`), as Vault sends them. */
export function answerTexts(
  answer: Pick<VaultAnswer, 'body'>,
  key: 'errors' | 'warnings' = 'errors',
): string[] {
  const list = answerJson(answer)?.[key];
  return Array.isArray(list) ? list.filter((text) => typeof text === 'string') : [];
}

/** An answer by which the server (or what stands before it) says that it serves nobody now; undefined for all others. */
export function serverRefusal(answer: VaultAnswer): UpstreamFailure | undefined {
  const { status, address } = answer;
  if (status === 429) return rateLimited(answer);
  if (status < 500) return undefined;
  const texts = answerTexts(answer).join(' ').toLowerCase();
  if (/\bnot (?:yet )?initiali[sz]ed|uninitiali[sz]ed/.test(texts) || status === 501) {
    return new UpstreamFailure('uninitialized', `the vault at ${address} is not initialised`, {
      status,
      remedy: 'initialise it (vault operator init), then unseal it',
    });
  }
  if (texts.includes('vault is sealed') || (status === 503 && texts.trim() === 'sealed'))
    return sealed(address, status);
  if (texts.includes('standby mode') || texts.includes('active cluster node not found')) {
    return new UpstreamFailure(
      'standby',
      `the vault at ${address} is a standby and knows of no active node`,
      {
        status,
        remedy: 'check that a node of the cluster is unsealed and can become active',
      },
    );
  }
  const isFromVault = isJsonObject(answerJson(answer)) && texts !== '';
  if (isFromVault && status !== 502 && status !== 504) return undefined;
  return new UpstreamFailure('unavailable', `${address} answers ${status} and no vault behind it`, {
    status,
    remedy: 'check the load balancer and the servers behind it',
    wasSent: status !== 503,
  });
}

export function sealed(address: string, status: number): UpstreamFailure {
  return new UpstreamFailure('sealed', `the vault at ${address} is sealed`, {
    status,
    remedy: 'unseal it (vault operator unseal); the agent goes on by itself',
  });
}

function rateLimited(answer: VaultAnswer): UpstreamFailure {
  const waitMs = retryAfterMs(answer.headers);
  return new UpstreamFailure('rate_limited', `${answer.address} limits the rate of requests`, {
    status: 429,
    remedy: 'lower budget.requests_per_second, or raise the quota in the vault',
    answerHeaders: quotaHeaders(answer.headers),
    ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
  });
}

/** What a client needs to wait as the server wants it to. */
function quotaHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => /^(?:retry-after$|x-ratelimit-|ratelimit)/.test(name) && typeof value === 'string',
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

export interface RefusalContext {
  /** `read secret/data/app`: what was asked, without values. */
  readonly what: string;
  readonly path: string;
  readonly capability?: string;
  /** Texts that must not appear in messages, should the server repeat what it was sent. */
  readonly secrets?: readonly string[];
}

/** The error for an answer that is not a success. */
export function requestRefusal(answer: VaultAnswer, context: RefusalContext): UpstreamError {
  const { status } = answer;
  const texts = answerTexts(answer);
  const said = quoteTexts(texts, context.secrets ?? []);
  const { what, path } = context;
  if (status === 403) {
    return new UpstreamError('denied', `${what}: denied by policy${said}`, {
      status,
      remedy: `allow ${context.capability ?? 'it'} on "${path}" in a policy of this login`,
    });
  }
  if (status === 404) return notFound(status, texts, context, said);
  if (status === 412) {
    return new UpstreamError('upstream_unavailable', `${what}: the node does not have the newest state yet`, {
      status,
      remedy: 'it is tried again; check the replication of the cluster if it stays',
    });
  }
  if (status >= 500) {
    return new UpstreamError('upstream_unavailable', `${what}: the vault failed with ${status}${said}`, {
      status,
      remedy: 'see the log of the vault',
    });
  }
  if (status >= 300 && status < 400) {
    return new UpstreamError('upstream_answer_invalid', `${what}: unexpected redirect (${status})`, {
      status,
      remedy: 'give the address of the vault itself',
    });
  }
  // Vault's own word for a path that issues, such as pki/issue.
  const isOnlyWritten = status === 405 && what.startsWith('read ');
  return new UpstreamError('request_invalid', `${what}: refused with ${status}${said}`, {
    status,
    remedy: isOnlyWritten
      ? 'this path is written to: say `operation: write`'
      : 'check the path and the parameters',
  });
}

function notFound(status: number, texts: string[], context: RefusalContext, said: string): UpstreamError {
  const { what, path } = context;
  const text = texts.join(' ');
  if (/no handler for route|namespace not found/.test(text)) {
    return new UpstreamError('mount_not_found', `${what}: nothing is mounted there${said}`, {
      status,
      remedy: `check the mount and the namespace of "${path}"`,
    });
  }
  return new UpstreamError('not_found', `${what}: no such secret${said}`, {
    status,
    remedy: `check the path, or write a secret to "${path}"`,
  });
}

/**
 * A 403 that only a living token gets: the policy was looked up, and the refusal comes as one of a list. That of a token
 * that is not there comes bare (OpenBao), or names it.
 */
export function isOfPolicy(answer: Pick<VaultAnswer, 'body'>): boolean {
  return answerTexts(answer).some(
    (text) =>
      /^1 error occurred:\s*\* permission denied\s*$/.test(text) || text.startsWith('preflight capability'),
  );
}

/** Vault's answers are JSON objects or nothing; whatever else comes is from somebody else. */
export function isForeign(answer: VaultAnswer): boolean {
  return answer.body.length > 0 && answer.status < 500 && answerJson(answer) === undefined;
}

export function invalidAnswer(
  what: string,
  answer: Pick<VaultAnswer, 'status' | 'address' | 'body'>,
): UpstreamFailure {
  const isPlain = answer.body.includes('HTTP request to an HTTPS server');
  const message = `${what}: ${answer.address} answers ${answer.status} without valid JSON`;
  return new UpstreamFailure('answer_invalid', message, {
    status: answer.status,
    remedy: isPlain
      ? 'use https:// in the address'
      : 'check that the address is that of a vault and that nothing between changes answers',
    wasSent: true,
  });
}

/** ` (texts)` for the end of a message: one line, bounded, without the secrets that were sent along. */
export function quoteTexts(texts: readonly string[], secrets: readonly string[]): string {
  let text = texts
    .join('; ')
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    .trim();
  for (const secret of secrets) if (secret.length >= 3) text = text.replaceAll(secret, '[redacted]');
  if (text === '') return '';
  return ` (${shorten(text, longestMessage)})`;
}
