// `POST /hooks/NAME`: messages from outside that a secret has changed. Who sends them is nobody that rules could speak of: the
// message itself is the proof. It brings about that upstream is asked, and nothing else; refusals tell nothing.
import { prefixOf, routes } from '../../api/routes.ts';
import { LatchkeyError } from '../../base/errors.ts';
import type { HookConfig } from '../../config/resolved.ts';
import { apiError } from '../http/api-error.ts';
import type { DialectHandler } from '../http/dialect.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed, readBody } from '../http/http-request.ts';
import { jsonHeaders } from '../http/prepared-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { noteProof } from '../listen/connection.ts';
import { agreement, validationAnswer } from './event-grid.ts';
import type { GoodVerdict, SignedMessage } from './hmac-policy.ts';
import { createHookEvents } from './hook-events.ts';
import { createHookProof } from './hook-proof.ts';
import { nameSender, senderOf } from './message-sender.ts';
import { createReplayMemory } from './replay-memory.ts';
import { createRequestRate } from './request-rate.ts';

/** Messages that are being read: however many slow ones come, they hold no more bodies than that, and a sender few of them. */
const mostAtOnce = 64;
const mostOfSender = 8;
const bodyMs = 10_000;
const coarseMs = 1000;
/** In metrics, of names that are no hook. */
export const unknownHook = 'unknown';
/** Of names that are no hook. */
const common = { maxBodyBytes: 64 * 1024, requestsPerMinute: 120 };

type Outcome = 'accepted' | 'repeated' | 'refused' | 'limited';

export function createHooksDialect(context: ServerContext): DialectHandler {
  const { view, clock, metrics, logger } = context;
  const rate = createRequestRate(clock);
  const replays = createReplayMemory();
  const proof = createHookProof(view, logger);
  const events = createHookEvents(context);
  /** By sender. */
  const reading = new Map<string, number>();
  let readingAll = 0;

  const hookOf = (exchange: Exchange): HookConfig | undefined => {
    const name = exchange.path.slice(prefixOf(routes.hook).length);
    return view.hooks().find((hook) => hook.name === name);
  };

  function count(hook: HookConfig | undefined, outcome: Outcome): void {
    metrics.hookEvents.with(hook?.name ?? unknownHook, outcome).inc();
  }

  function refuse(exchange: Exchange, hook: HookConfig | undefined, why: string): void {
    count(hook, 'refused');
    exchange.judge(false, hook === undefined ? why : `hook ${hook.name}: ${why}`);
    exchange.deny();
  }

  /** Before a byte of the body is read. */
  function isTooOften(exchange: Exchange, hook: HookConfig | undefined): boolean {
    const { requestsPerMinute } = hook ?? common;
    const sender = senderOf(exchange);
    const waitMs = rate.take(`${hook?.name ?? ''} ${sender}`, requestsPerMinute);
    const isFree = readingAll < mostAtOnce && (reading.get(sender) ?? 0) < mostOfSender;
    if (waitMs === 0 && isFree) return false;
    count(hook, 'limited');
    const why = waitMs > 0 ? 'too many messages of one sender' : 'too many messages at once';
    exchange.judge(false, why);
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    exchange.failWith(apiError('too_many_requests', 'too many requests'), ['Retry-After', String(seconds)]);
    return true;
  }

  async function messageOf(exchange: Exchange, maxBytes: number): Promise<SignedMessage> {
    const sender = senderOf(exchange);
    const note = (more: number): void => {
      readingAll += more;
      const count = (reading.get(sender) ?? 0) + more;
      if (count > 0) reading.set(sender, count);
      else reading.delete(sender);
    };
    note(1);
    const timer = clock.setTimer(bodyMs, () => exchange.request.destroy());
    try {
      return { header: (name) => onlyOne(exchange, name), body: await readBody(exchange, maxBytes) };
    } finally {
      timer.cancel();
      note(-1);
    }
  }

  async function receive(exchange: Exchange, hook: HookConfig | undefined): Promise<void> {
    let message: SignedMessage;
    try {
      message = await messageOf(exchange, (hook ?? common).maxBodyBytes);
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      refuse(exchange, hook, error.message);
      return;
    }
    const wallMs = clock.wall();
    const verdict = await proof.verify(hook, message, wallMs);
    if (!verdict.isGood || hook === undefined) {
      refuse(exchange, hook, verdict.isGood ? 'there is no such hook' : verdict.why);
      return;
    }
    noteProof(exchange.connection);
    const validation = validationAnswer(message);
    if (validation === undefined) {
      take(exchange, hook, verdict, wallMs);
      return;
    }
    exchange.judge(true, `hook ${hook.name}: Event Grid asks whether its events are wanted`);
    exchange.answerJson(200, validation);
  }

  /** A sender that had no answer sends again: it is told the same, and nothing happens twice. */
  function take(exchange: Exchange, hook: HookConfig, verdict: GoodVerdict, wallMs: number): void {
    const { mark, untilMs, isCoarse } = verdict;
    const firstAt = mark === undefined ? undefined : replays.take(`${hook.name} ${mark}`, untilMs, wallMs);
    if (firstAt === undefined) {
      count(hook, 'accepted');
      const names = events.happened(hook);
      logger.info({ hook: hook.name, secrets: names }, 'a message says that secrets may have changed');
      exchange.judge(true, `hook ${hook.name}: asks for ${names.join(', ')}`);
    } else {
      count(hook, 'repeated');
      // Two changes within the second that is signed look the same: one look after that second is for all of them.
      if (isCoarse && wallMs - firstAt < coarseMs) events.willHappen(hook, coarseMs - (wallMs - firstAt));
      exchange.judge(true, `hook ${hook.name}: the same message again`);
    }
    exchange.answer(202, jsonHeaders(3), '{}\n');
  }

  return {
    name: 'hooks',
    roots: ['hooks'],
    isServedBy: ({ serve }) => serve.includes('hooks'),
    comesFromOutside: true,
    handle(exchange) {
      const { method } = exchange;
      const hook = hookOf(exchange);
      nameSender(exchange);
      if (method !== 'POST' && method !== 'OPTIONS') return methodNotAllowed(exchange, 'POST, OPTIONS');
      if (isTooOften(exchange, hook)) return;
      if (method === 'POST') return receive(exchange, hook);
      // It says no more than that there are hooks here; what comes then has to be signed like the rest.
      const agreed = agreement({ header: (name) => onlyOne(exchange, name) }, common.requestsPerMinute);
      if (agreed === undefined || !view.hooks().some((one) => one.proof.kind === 'jwt')) {
        refuse(exchange, hook, 'asks for what is not done here');
        return;
      }
      exchange.judge(true, 'Event Grid asks whether its events are wanted');
      exchange.answer(200, [...agreed, 'Content-Length', '0'], '');
    },
    close: () => events.close(),
  };
}

/** Node joins some headers that come twice with a comma, and a second signature would be one more guess. */
function onlyOne({ request }: Exchange, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}
