// What the requests of the AWS dialect have in common: who may, which versions there are, the answer, and what is kept of it.
import type { Entry } from '../../store/entry.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { Exchange } from '../http/exchange.ts';
import { jsonHeaders } from '../http/prepared-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { type AwsFault, answerFault } from './aws-fault.ts';
import { createAwsPrepared, type KeptAnswer, type NamedAnswer } from './aws-prepared.ts';
import { type StagedVersion, stagedVersions } from './aws-secret.ts';

export interface AwsAnswers {
  /** From what is kept of an answer to the same URL; false: nothing is, or the caller may not have it. */
  answerKept(exchange: Exchange): boolean;
  /** Of the URL that was asked for. */
  keep(exchange: Exchange, kept: KeptAnswer): void;
  /** True when the caller may; else they have their answer. */
  admits(exchange: Exchange, name: string, field?: string): boolean;
  /** One at least. */
  versionsOf(name: string): { entry: Entry; staged: StagedVersion[] } | AwsFault;
  /** `isKept`: the same URL means the same until the secret changes (default true). */
  deliver(exchange: Exchange, answer: NamedAnswer, isKept?: boolean): void;
}

export function createAwsAnswers({ view, clock, metrics }: ServerContext): AwsAnswers {
  const prepared = createAwsPrepared(clock, view);

  function keep(exchange: Exchange, kept: KeptAnswer): void {
    prepared.keep(exchange.connection.scope.config, exchange.request.url ?? '', kept);
  }

  return {
    keep,
    answerKept(exchange) {
      const kept = prepared.find(exchange.connection.scope.config, exchange.request.url ?? '');
      if (kept === undefined || !exchange.permitsSecret(kept.name)) return false;
      const answer = kept.answer();
      if (answer !== undefined) exchange.answerPrepared(answer);
      return answer !== undefined;
    },
    admits(exchange, name, field) {
      if (exchange.permitsSecret(name, field)) return true;
      metrics.denials.with('access').inc();
      answerFault(exchange, { status: 403, type: 'AccessDeniedException', message: 'not allowed' });
      return false;
    },
    versionsOf(name) {
      const entry = view.names.find(name)?.entry;
      if (entry === undefined) return missing("Secrets Manager can't find the specified secret.");
      const staged = stagedVersions(entry, view.store.holders(entry.key));
      if (staged.length > 0) return { entry, staged };
      const why = entry.error === undefined ? 'it has not been obtained yet' : entry.error.message;
      return { status: 503, type: 'ServiceUnavailableException', message: `secret ${name}: ${why}` };
    },
    deliver(exchange, answer, isKept = true) {
      const { name, entry, version, make } = answer;
      const body = Buffer.from(JSON.stringify(make()), 'utf8');
      const { number } = version;
      const delivery = { name, entryKey: entry.key, number, shownVersion: shownVersion(version) };
      exchange.answer(200, jsonHeaders(body.length), body, delivery);
      if (isKept) keep(exchange, prepared.named(answer));
    },
  };
}

/** A role to assume is refused too: whoever asks gets what the rules give them, under no other name. */
export function parametersOf(query: string, known: readonly string[]): URLSearchParams | AwsFault {
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => !known.includes(key));
  return unknown === undefined ? parameters : { status: 400, text: `unknown parameter: ${unknown}` };
}

export function missing(message: string): AwsFault {
  return { status: 400, type: 'ResourceNotFoundException', message };
}
