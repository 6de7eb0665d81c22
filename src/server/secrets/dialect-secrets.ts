// The native dialect: names, secrets and single fields, with ETag and `wait`.

import { pathOf, prefixOf, routes } from '../../api/routes.ts';
import type { SecretsAnswer } from '../../api/secrets.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { parseDuration } from '../../base/time/duration.ts';
import type { ApiError } from '../http/api-error.ts';
import type { DialectHandler } from '../http/dialect.ts';
import type { Exchange } from '../http/exchange.ts';
import { decodeSegment, methodNotAllowed } from '../http/http-request.ts';
import { longestKeptUrl, type PreparedAnswer } from '../http/prepared-answer.ts';
import type { ServerContext } from '../http/server-context.ts';
import { createRefusedSecrets } from './refused-secret.ts';
import type { SecretTarget } from './secret-reader.ts';

/** Longer ones are cut to this: clients ask again. */
const longestWaitMs = 600_000;
const maxRememberedPaths = 4096;

export function createSecretsDialect(context: ServerContext): DialectHandler {
  const { secrets, waits, view } = context;
  const refused = createRefusedSecrets(context);
  /** Paths that mean the same give the same target, however they are spelled: the prepared answers are kept by it. */
  const targets = new BoundedMap<string, SecretTarget>(maxRememberedPaths);
  let revision = view.names.revision;

  function knownTarget(path: string): SecretTarget | undefined {
    if (revision !== view.names.revision) {
      // A reload may have given an alias to another.
      targets.clear();
      revision = view.names.revision;
    }
    return targets.get(path);
  }

  /** Undefined: it is no path of a secret. */
  function targetOf(path: string): SecretTarget | undefined {
    const asked = parseTarget(path);
    if (asked === undefined) return undefined;
    const target = { ...asked, name: view.names.nameOf(asked.name) };
    return targets.get(plainPath(target)) ?? target;
  }

  /** Not for whoever may have nothing: they must not choose what is kept. */
  function keep(path: string, target: SecretTarget): void {
    if (path.length > longestKeptUrl || view.names.find(target.name) === undefined) return;
    targets.set(path, target);
    targets.set(plainPath(target), target);
  }

  function respond(exchange: Exchange, target: SecretTarget, isNew: boolean): void {
    if (!exchange.permitsSecret(target.name, target.field)) {
      exchange.deny();
      return;
    }
    if (isNew) keep(exchange.path, target);
    const found = secrets.read(target);
    const etag = exchange.headers['if-none-match'];
    if ('body' in found && !isSame(etag, found.etag)) {
      exchange.answerPrepared(found);
      return;
    }
    const waitMs = exchange.query === '' ? 0 : waitOf(exchange.query);
    const key = view.names.find(target.name)?.entry.key;
    if (waitMs === 0 || key === undefined || exchange.connection.scope.isDraining) {
      settle(exchange, found);
      return;
    }
    waits.add(exchange, key, waitMs, (isLast) => waitOn(exchange, target, etag, isLast));
  }

  function waitOn(
    exchange: Exchange,
    target: SecretTarget,
    etag: string | undefined,
    isLast: boolean,
  ): string | undefined {
    if (!exchange.permitsSecret(target.name, target.field)) {
      exchange.deny();
      return undefined;
    }
    const found = secrets.read(target);
    const key = view.names.find(target.name)?.entry.key;
    if ('body' in found && !isSame(etag, found.etag)) exchange.answerPrepared(found);
    else if (isLast || key === undefined) settle(exchange, found);
    else return key;
    return undefined;
  }

  function list(exchange: Exchange): void {
    if (!exchange.permits({ kind: 'list' })) {
      exchange.deny();
      return;
    }
    const { caller } = exchange.identity;
    const readable = view.names
      .all()
      .filter(({ config }) => context.access.decideSecret(caller, config.name).isAllowed);
    exchange.answerJson(200, {
      secrets: readable.map(({ config, entry }) => secrets.summary(config.name, entry)),
    } satisfies SecretsAnswer);
  }

  return {
    name: 'secrets',
    roots: ['secrets', 'refused'],
    isServedBy: (listener) => listener.serve.includes('secrets'),
    drain: waits.finish,
    handle(exchange) {
      const { method, path } = exchange;
      if (path.startsWith(prefixOf(routes.refused))) return refused(exchange);
      if (method !== 'GET' && method !== 'HEAD') {
        methodNotAllowed(exchange, 'GET, HEAD');
        return;
      }
      if (path === '/secrets' || path === '/secrets/') {
        list(exchange);
        return;
      }
      const known = knownTarget(path);
      const target = known ?? targetOf(path);
      if (target === undefined)
        return exchange.fail('request_invalid', 'expected /secrets/NAME or /secrets/NAME/FIELD');
      respond(exchange, target, known === undefined);
    },
  };
}

/** Nothing new: 304, or why there is nothing at all. */
function settle(exchange: Exchange, found: PreparedAnswer | ApiError): void {
  if ('body' in found) exchange.answer(304, found.notModifiedHeaders, '', found.delivery);
  else exchange.failWith(found);
}

function plainPath({ name, field }: SecretTarget): string {
  return field === undefined ? pathOf(routes.secret, name) : pathOf(routes.field, name, field);
}

function parseTarget(path: string): SecretTarget | undefined {
  const [name = '', field, ...rest] = path.slice('/secrets/'.length).split('/').map(decodeSegment);
  return name === '' || field === '' || rest.length > 0 ? undefined : { name, field };
}

/** RFC 9110, 13.1.2: weak comparison with any tag of the list. */
function isSame(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return (
    header === etag || header.trim() === '*' || header.includes(etag.startsWith('W/') ? etag.slice(2) : etag)
  );
}

function waitOf(query: string): number {
  const wait = new URLSearchParams(query).get('wait');
  if (wait === null) return 0;
  try {
    return Math.min(parseDuration(wait), longestWaitMs);
  } catch (error) {
    throw new LatchkeyError('usage', 'wait: expected a duration such as 30s', { cause: error });
  }
}
