// What the commands ask for: status, refresh, reload, who holds what, how access is decided. For callers with the
// admin right only.

import { explainAccess } from '../../access/described-caller.ts';
import type {
  AccessTestAnswer,
  RefreshAnswer,
  ReloadAnswer,
  StopAnswer,
  WhoHasAnswer,
} from '../../api/admin.ts';
import { prefixOf, type Route, routes } from '../../api/routes.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { logLevels } from '../../base/logger.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../base/text/json.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import { shownVersion } from '../../store/secret-version.ts';
import { requestIsOver } from '../http/api-error.ts';
import type { DialectHandler } from '../http/dialect.ts';
import type { Exchange } from '../http/exchange.ts';
import { methodNotAllowed, readBody, segmentOf } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';
import { askFrom, describedCallerFrom, numberOf } from './access-question.ts';
import { holdersOf } from './holders.ts';

/** A unix listener for secrets brings the admin paths along, for `latchkey status` and its kin; TCP only when told. */
export function isAdminServedBy(listener: ListenerConfig): boolean {
  return listener.serve.includes('admin') || (listener.kind !== 'tcp' && listener.serve.includes('secrets'));
}

const maxBodyBytes = 64 * 1024;
const refreshLimitMs = 120_000;
/** What a timer holds. */
const mostLogSeconds = 24 * 86_400;

type Handler = (exchange: Exchange, context: ServerContext) => void | Promise<void>;

const handlers: readonly { route: Route; handle: Handler }[] = [
  { route: routes.status, handle: (exchange, { view }) => exchange.answerJson(200, view.status()) },
  { route: routes.refresh, handle: refresh },
  { route: routes.rotate, handle: rotate },
  { route: routes.reload, handle: reload },
  { route: routes.logLevel, handle: logLevel },
  { route: routes.stop, handle: stop },
  { route: routes.whoHas, handle: whoHas },
  { route: routes.explain, handle: explain },
  { route: routes.timeline, handle: timeline },
  { route: routes.timelines, handle: timeline },
  { route: routes.drill, handle: drill },
  { route: routes.accessTest, handle: accessTest },
];

export function createAdminDialect(context: ServerContext): DialectHandler {
  return {
    name: 'admin',
    roots: [...new Set(handlers.map(({ route }) => route.path.split('/')[1] ?? ''))],
    isServedBy: isAdminServedBy,
    handle(exchange) {
      const found = handlers.find(({ route }) => owns(route, exchange.path));
      if (!exchange.permits({ kind: 'admin' })) {
        exchange.deny();
        return;
      }
      if (found === undefined) {
        exchange.fail('not_found', 'no such path');
        return;
      }
      const { method } = found.route;
      const isRight = exchange.method === method || (method === 'GET' && exchange.method === 'HEAD');
      return isRight ? found.handle(exchange, context) : methodNotAllowed(exchange, method);
    },
  };
}

async function refresh(exchange: Exchange, { view }: ServerContext): Promise<void> {
  const names = await wantedNames(exchange);
  await exchange.recordForward();
  const results = await view.refresh(names, patienceOf(exchange));
  exchange.answerJson(200, { results } satisfies RefreshAnswer);
}

async function reload(exchange: Exchange, { view }: ServerContext): Promise<void> {
  const { changed } = await view.reload();
  exchange.answerJson(200, { status: 'reloaded', changed } satisfies ReloadAnswer);
}

function whoHas(exchange: Exchange, context: ServerContext): void {
  const [name = '', version] = segmentOf(exchange, routes.whoHas).split('@');
  exchange.concerns(name);
  const key = context.view.keyOf(name);
  const current = context.view.store.find(key)?.current;
  if (version !== undefined && !/^\d+$/.test(version)) {
    exchange.fail('request_invalid', 'expected NAME or NAME@VERSION with a number');
    return;
  }
  exchange.answerJson(200, {
    name,
    current_version: current === undefined ? null : shownVersion(current),
    holders: holdersOf(context, key, version === undefined ? undefined : Number(version)),
  } satisfies WhoHasAnswer);
}

function timeline(exchange: Exchange, { view }: ServerContext): void {
  const isOfAll = exchange.path === routes.timelines.path;
  const name = isOfAll ? undefined : segmentOf(exchange, routes.timeline);
  if (name !== undefined) exchange.concerns(name);
  const asked = new URLSearchParams(exchange.query).get('last') ?? '20';
  if (!/^[1-9]\d{0,3}$/.test(asked))
    throw new LatchkeyError('usage', 'last: expected a number from 1 to 9999');
  exchange.answerJson(200, view.timeline(name, Number(asked)));
}

function explain(exchange: Exchange, { view }: ServerContext): void {
  const subject = new URLSearchParams(exchange.query).get('subject') ?? '';
  const explanation = view.explain(subject);
  if (explanation === undefined) {
    const what = `no secret, file, process, upstream or listener is named ${JSON.stringify(subject)}`;
    exchange.fail('not_found', what + hint(view.nearestSubject(subject)));
    return;
  }
  exchange.answerJson(200, explanation);
}

async function drill(exchange: Exchange, { view }: ServerContext): Promise<void> {
  const name = segmentOf(exchange, routes.drill);
  exchange.concerns(name);
  const { kind = 'rotation', notify = false } = await jsonBody(exchange);
  if (kind !== 'rotation' && kind !== 'outage' && kind !== 'revocation') {
    throw new LatchkeyError('usage', 'kind: expected rotation, outage or revocation');
  }
  exchange.answerJson(200, await view.drill(name, { kind, notify: notify === true }));
}

async function rotate(exchange: Exchange, { view }: ServerContext): Promise<void> {
  const name = segmentOf(exchange, routes.rotate);
  exchange.concerns(name);
  const revokeNow = (await jsonBody(exchange))['revoke_now'] === true;
  await exchange.recordForward();
  const signal = patienceOf(exchange);
  exchange.answerJson(200, await view.rotate(name, { revokeNow, signal }));
}

async function logLevel(exchange: Exchange, { view }: ServerContext): Promise<void> {
  const asked = segmentOf(exchange, routes.logLevel);
  const level = logLevels.find((one) => one === asked && one !== 'silent');
  if (level === undefined && asked !== 'config')
    throw new LatchkeyError('usage', 'the level: expected debug, info, warn, error or config');
  const seconds = numberOf(await jsonBody(exchange), 'for_seconds');
  if (seconds !== undefined && seconds > mostLogSeconds)
    throw new LatchkeyError('usage', `for_seconds: expected ${mostLogSeconds} (24 days) at most`);
  exchange.answerJson(200, view.setLogLevel(level, seconds === undefined ? undefined : seconds * 1000));
}

async function stop(exchange: Exchange, { view }: ServerContext): Promise<void> {
  const body = await jsonBody(exchange);
  const revoke = body['revoke'] === true;
  exchange.response.once('finish', () => view.quit({ revoke }));
  const livesOn = revoke ? view.livesOn() : [];
  exchange.answerJson(200, {
    status: 'stopping',
    pid: process.pid,
    lives_on: livesOn,
  } satisfies StopAnswer);
}

async function accessTest(exchange: Exchange, context: ServerContext): Promise<void> {
  const body = await jsonBody(exchange);
  const explained = explainAccess(context.access, describedCallerFrom(body), askFrom(body));
  exchange.answerJson(200, explained satisfies AccessTestAnswer);
}

/** Ends with the caller's, and when it has taken too long. */
function patienceOf(exchange: Exchange): AbortSignal {
  const ended = new AbortController();
  exchange.whenOver(() => ended.abort(requestIsOver));
  return AbortSignal.any([ended.signal, AbortSignal.timeout(refreshLimitMs)]);
}

function hint(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`;
}

function owns(route: Route, path: string): boolean {
  const prefix = prefixOf(route);
  return prefix === route.path ? path === prefix : path.startsWith(prefix);
}

/** From `?name=` (repeated) or `{"names":[…]}`; neither: all. */
async function wantedNames(exchange: Exchange): Promise<readonly string[] | undefined> {
  const named = new URLSearchParams(exchange.query).getAll('name');
  if (named.length > 0) return named;
  const { names } = await jsonBody(exchange);
  if (names === undefined) return undefined;
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new LatchkeyError('usage', 'names: expected a list of names');
}

async function jsonBody(exchange: Exchange): Promise<JsonObject> {
  const bytes = await readBody(exchange, maxBodyBytes);
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = parseJson(bytes.toString('utf8'));
  } catch (error) {
    throw new LatchkeyError('usage', 'the body is not JSON', { cause: error });
  }
  if (!isJsonObject(value)) throw new LatchkeyError('usage', 'the body: expected a JSON object');
  return value;
}
