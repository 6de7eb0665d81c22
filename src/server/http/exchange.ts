// One request and its answer. An answer is first recorded, then sent: what cannot be recorded is not sent (audit
// `on_failure: deny`). A class, because there is one for each request and methods on a prototype cost it nothing.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Ask, Decision, Standing } from '../../access/access-policy.ts';
import type { Caller } from '../../access/caller.ts';
import type { AuditEntry } from '../../audit/audit-line.ts';
import type { Recorded } from '../../audit/audit-log.ts';
import { describeError, type ErrorCode, type LatchkeyError } from '../../base/errors.ts';
import type { Dialect } from '../../config/resolved.ts';
import { type Connection, identityOf } from '../listen/connection.ts';
import { cutUnlessTaken, hasUnreadBody } from '../listen/http-limits.ts';
import type { Identity } from '../listen/identity.ts';
import { userOf } from '../listen/shares.ts';
import { sendWireBytes } from '../node-internals/wire-answer.ts';
import { type ApiError, apiError, apiErrorOf, errorBody, isAbort } from './api-error.ts';
import {
  type Delivery,
  jsonHeaders,
  longestKeptUrl,
  type PreparedAnswer,
  type StampedWire,
} from './prepared-answer.ts';
import { RequestCosts, usedUp } from './request-costs.ts';
import type { ServerContext } from './server-context.ts';

/** Bytes, or a function that writes to the response itself (a stream) once the answer is recorded. */
export type AnswerBody = Buffer | string | ((response: ServerResponse) => void);

/** The part of a dialect that shapes its answers; `DialectHandler` in dialect.ts is the whole. */
export interface ExchangeDialect {
  /** For audit lines and metrics. */
  readonly name: Dialect | 'health';
  /** Its requests come from other hosts, through proxies too, and prove themselves: Host and forwarders say nothing. */
  readonly comesFromOutside?: boolean;
  /** The body of an error in this dialect; absent: `{"error":{"code","message"}}`. */
  errorBody?(code: ErrorCode, message: string): string;
  /** Answers a request that is refused whoever makes it; absent: 403 with `errorBody`. */
  refuse?(exchange: Exchange, refusal: { why: string; message: string }): void;
  /** The path for the audit line, where it may hold what is not for it; absent: as it came. */
  auditedPath?(path: string): string;
}

/** Until somebody decides: also of what is refused for its form, whoever asks. */
const undecided: Decision = { isAllowed: false, reason: 'not decided', rule: undefined };
const noHeaders: readonly string[] = [];

export class Exchange implements Recorded {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly context: ServerContext;
  readonly startedAt: number;
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  #identity: Identity;
  #dialect: ExchangeDialect | undefined;
  #isAudited = true;
  #hasWaited = false;
  #decision: Decision = undecided;
  /** What was asked for, when it is a secret. */
  #name: string | undefined;
  #field: string | undefined;
  #delivery: Delivery | undefined;
  #status = 0;
  #headers: readonly string[] = noHeaders;
  #body: AnswerBody = '';
  #wire: Buffer | StampedWire | undefined;
  #isAnswered = false;
  #isLastOfConnection = false;
  #costs: RequestCosts | undefined;
  #endings: (() => void)[] | undefined;

  constructor(
    context: ServerContext,
    connection: Connection,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    this.context = context;
    this.connection = connection;
    this.request = request;
    this.response = response;
    this.startedAt = context.clock.now();
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = apart(mark < 0 ? url : url.slice(0, mark), url);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
    this.#identity = identityOf(connection, request.headers, this.startedAt);
  }

  get method(): string {
    return this.request.method ?? 'GET';
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** For whom it is decided: of a request that waits nobody, once its process has ended or the token that it showed is another. */
  get caller(): Caller {
    const { connection, headers, context } = this;
    if (!this.#hasWaited) return this.#identity.caller;
    return identityOf(connection, headers, context.clock.now()).caller;
  }

  get headers(): IncomingHttpHeaders {
    return this.request.headers;
  }

  /** True once an answer is on its way; a second one is ignored. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** From here on this dialect answers, errors too. */
  enter(dialect: ExchangeDialect | undefined): void {
    this.#dialect = dialect;
  }

  /** The secret that a request for something else concerns, for the audit line. */
  concerns(name: string): void {
    this.#name = name;
  }

  /** A health probe or a scrape: not audited, unless it is denied. */
  skipAudit(): void {
    this.#isAudited = false;
  }

  /** The answer comes when something happens: it does not count in the latency histogram. */
  beginWait(): void {
    this.#hasWaited = true;
  }

  /** Runs once, when the answer is out or the connection has ended: an answer that was queued hears of no end by itself. */
  whenOver(work: () => void): void {
    const { response, connection } = this;
    // It may be over by now.
    if (response.destroyed || this.request.socket.destroyed) return void work();
    if (this.#endings !== undefined) {
      this.#endings.push(work);
      return;
    }
    this.#endings = [work];
    const over = (): void => {
      response.off('close', over);
      connection.endings?.delete(over);
      for (const end of this.#endings ?? []) end();
      this.#endings = undefined;
    };
    response.once('close', over);
    connection.endings ??= new Set();
    connection.endings.add(over);
  }

  /** What the caller has used up of what all share, so that this request of theirs cannot be served. */
  usedUp(): ReturnType<typeof usedUp> {
    const { caller } = this.identity;
    return usedUp(this.context.shares, userOf(caller), this.#standing());
  }

  /** It is not answered yet, or with a stream. */
  lasts(): void {
    this.#paid().open();
  }

  /** Bytes that are kept for it until it is over. False: that is more than the caller's share. */
  keeps(bytes: number): boolean {
    return this.#paid().keep(bytes);
  }

  /** What its reader has not taken yet. False: that is more than the caller's share. */
  notesUnread(): boolean {
    const { response } = this;
    if (this.#costs === undefined && response.writableLength === 0) return true;
    if (response.writableEnded && response.writableLength > 0) cutUnlessTaken(response);
    return this.#paid().setUnread(response.writableLength);
  }

  #paid(): RequestCosts {
    if (this.#costs !== undefined) return this.#costs;
    const costs = new RequestCosts(this.context.shares, userOf(this.identity.caller), this.#standing());
    this.#costs = costs;
    this.whenOver(() => costs.end());
    return costs;
  }

  #standing(): Standing {
    // Who sends messages is nobody that rules could speak of: their dialect bounds what is taken in.
    if (this.#dialect?.comesFromOutside === true) return 'ruled';
    return this.identity.caller.kind === 'unknown' ? 'stranger' : this.connection.standing;
  }

  /** Who it comes from, where the connection alone does not tell. */
  comesFrom(identity: Identity): void {
    this.#identity = identity;
  }

  /** What no rule speaks of: the request itself was the proof, or was none. */
  judge(isAllowed: boolean, reason: string): void {
    this.#decision = { isAllowed, reason, rule: undefined };
  }

  /** Decides and keeps the decision for the audit line. */
  permits(ask: Ask): boolean {
    this.#decision = this.context.access.decide(this.caller, ask);
    return this.#decision.isAllowed;
  }

  /** A field that was asked for is told in the audit line. */
  permitsSecret(name: string, field?: string): boolean {
    this.#name = name;
    this.#field = field;
    this.#decision = this.context.access.decideSecret(this.caller, name);
    return this.#decision.isAllowed;
  }

  /** `headers` are name, value, name, value; with Content-Length unless the body is a stream. */
  answer(status: number, headers: readonly string[], body: AnswerBody, delivery?: Delivery): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#status = status;
    this.#headers = headers;
    this.#body = body;
    this.#delivery = delivery;
    if (!this.#isAudited) {
      this.#send();
      return;
    }
    const latencyUs = Math.round((this.context.clock.now() - this.startedAt) * 1000);
    this.context.audit.append(this.#auditEntry(delivery, status, latencyUs), this);
  }

  /** Before another is asked to do what could not be taken back. Rejects `audit_failed` where nothing unrecorded is served. */
  recordForward(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.context.audit.append(this.#auditEntry(), {
        recorded: (failure) => (failure === undefined ? resolve() : reject(failure)),
      });
    });
  }

  #auditEntry(delivery?: Delivery, status?: number, latencyUs?: number): AuditEntry {
    const subject = this.#name ?? delivery?.name;
    return {
      caller: this.identity.encoded,
      listener: this.connection.scope.config.place,
      dialect: this.#dialect?.name ?? 'none',
      method: this.method,
      name: subject,
      field: this.#field ?? delivery?.field,
      version: delivery?.shownVersion,
      path: subject === undefined ? this.#auditedPath() : undefined,
      isAllowed: this.#decision.isAllowed,
      reason: this.#decision.reason,
      status,
      latencyUs,
    };
  }

  /** A whole secret or field, as prepared. */
  answerPrepared(prepared: PreparedAnswer): void {
    if (this.#isAnswered) return;
    this.#wire = prepared.stamped ?? prepared.wire;
    this.answer(200, prepared.headers, prepared.body, prepared.delivery);
  }

  answerJson(status: number, value: unknown): void {
    const body = Buffer.from(`${JSON.stringify(value)}\n`, 'utf8');
    this.answer(status, jsonHeaders(body.length), body);
  }

  fail(code: ErrorCode, message: string): void {
    this.failWith(apiError(code, message));
  }

  failWith(error: ApiError, headers: readonly string[] = noHeaders): void {
    const body = Buffer.from((this.#dialect?.errorBody ?? errorBody)(error.code, error.message), 'utf8');
    this.answer(error.status, [...jsonHeaders(body.length), ...headers], body);
  }

  /** The answer to a caller that may not. It tells no more than they knew. */
  deny(message = 'not allowed'): void {
    this.#isAudited = true;
    this.context.metrics.denials.with('access').inc();
    this.failWith(apiError('denied', message));
  }

  /** To a caller who has their share already: the connection ends with the answer. */
  turnAway(what: string): void {
    this.context.metrics.denials.with('share').inc();
    this.#isLastOfConnection = true;
    this.fail('too_many_connections', `you have your share of ${what}`);
  }

  /** For a request that no program of this host makes, whoever asks. */
  refuse(refusal: { why: string; message: string }): void {
    this.context.metrics.denials.with(refusal.why).inc();
    this.#decision = { isAllowed: false, reason: refusal.message, rule: undefined };
    this.#isAudited = true;
    if (this.#dialect?.refuse !== undefined) this.#dialect.refuse(this, refusal);
    else this.failWith(apiError('denied', refusal.message));
  }

  /** For what a handler threw. */
  failFrom(error: unknown): void {
    const known = apiErrorOf(error);
    // The client went away, and with it what was done for it.
    if (this.response.destroyed && isAbort(error)) {
      this.failWith(apiError('aborted', 'the client went away'));
      return;
    }
    if (known.code === 'internal') {
      const { name, stack } = error instanceof Error ? error : { name: 'unknown', stack: undefined };
      // Only where it happened: the message may quote what it worked on.
      const at = stack
        ?.split('\n')
        .filter((line) => line.startsWith('    at '))
        .slice(0, 4);
      this.context.logger.error({ error: name, at, dialect: this.#dialect?.name }, 'a request failed');
    }
    this.failWith(known);
  }

  #auditedPath(): string {
    return this.#dialect?.auditedPath?.(this.path) ?? this.path;
  }

  /** Called by the audit log once the line is written, or cannot be. */
  recorded(failure: LatchkeyError | undefined): void {
    if (failure !== undefined) {
      this.context.metrics.denials.with('audit').inc();
      const error = apiErrorOf(failure);
      // Path and remedy are for those who could do something about it.
      const isOwner = this.connection.standing === 'owner';
      const message = isOwner ? describeError(failure) : 'the audit file cannot be written';
      const body = (this.#dialect?.errorBody ?? errorBody)('audit_failed', message);
      this.#status = error.status;
      this.#body = Buffer.from(body, 'utf8');
      this.#headers = jsonHeaders(this.#body.length);
      this.#delivery = undefined;
      this.#wire = undefined;
    }
    this.#send();
  }

  #send(): void {
    const { response, context } = this;
    if (!response.destroyed) {
      if (this.#delivery !== undefined) context.ledger.delivered(this.identity.caller, this.#delivery);
      if (this.#isLast()) response.shouldKeepAlive = false;
      if (!this.#sendWhole()) this.#sendApart();
      this.notesUnread();
    }
    const dialect = this.#dialect?.name ?? 'none';
    context.metrics.requests.with(dialect, String(this.#status)).inc();
    if (!this.#hasWaited) {
      context.metrics.requestSeconds.with(dialect).observe((context.clock.now() - this.startedAt) / 1000);
    }
  }

  #sendWhole(): boolean {
    const { context, request, response } = this;
    return (
      this.#wire !== undefined &&
      context.internals.canSendWire &&
      sendWireBytes(request, response, this.#wire)
    );
  }

  #sendApart(): void {
    const { response } = this;
    response.writeHead(this.#status, this.#headers as string[]);
    if (this.#wire !== undefined && 'next' in this.#wire) this.#body = this.#wire.body();
    if (typeof this.#body !== 'function') return void response.end(this.#body);
    this.lasts();
    this.#body(response);
  }

  /** Who was refused, or may have nothing, keeps no connection. */
  #isLast(): boolean {
    const { scope, standing } = this.connection;
    return (
      this.#isLastOfConnection ||
      scope.isDraining ||
      standing === 'stranger' ||
      (this.#status === 403 && !this.#decision.isAllowed) ||
      hasUnreadBody(this.request)
    );
  }
}

/** A slice holds on to the text that it is of; caches that keep a short path must not keep a long query with it. */
function apart(path: string, url: string): string {
  return url.length <= longestKeptUrl ? path : Buffer.from(path, 'latin1').toString('latin1');
}
