// The requests of AWS's own local agents: the Secrets Manager agent, the Lambda extension's parameters, and the
// container credentials that SDKs fetch. Answers are made in aws-secret.ts; errors are told as those agents tell them.

import type { AwsSecretQuery } from '../../base/aws-secret-query.ts';
import { describeError, LatchkeyError } from '../../base/errors.ts';
import type { AnySecretConfig, ListenerConfig } from '../../config/resolved.ts';
import type { Entry } from '../../store/entry.ts';
import { shownVersion } from '../../store/secret-version.ts';
import { anyRoot, type DialectHandler } from '../http/dialect.ts';
import { type Exchange, jsonHeaders } from '../http/exchange.ts';
import { decodeSegment } from '../http/http-request.ts';
import type { ServerContext } from '../http/server-context.ts';
import { createAnySecrets } from './aws-any-secret.ts';
import { type AwsFault, answerCode, answerFault, answerText } from './aws-fault.ts';
import { createAwsPrepared, type KeptAnswer } from './aws-prepared.ts';
import {
  arnOf,
  containerCredentials,
  nameOfId,
  parameterValue,
  type StagedVersion,
  secretValue,
  stagedVersions,
  versionIdOf,
} from './aws-secret.ts';

interface SecretQuery extends AwsSecretQuery {
  readonly refreshNow: boolean;
}

const refreshLimitMs = 30_000;
const notFound: AwsFault = { status: 404, text: 'Not found' };

export function createAwsDialect(context: ServerContext): DialectHandler {
  const { view, clock } = context;
  const prepared = createAwsPrepared(clock, view);
  const anySecrets = createAnySecrets({ view, clock });

  /** From what is kept of an answer to the same URL. */
  function answerKept(exchange: Exchange): boolean {
    const kept = prepared.find(exchange.connection.scope.config, exchange.request.url ?? '');
    if (kept === undefined || !exchange.permitsSecret(kept.name)) return false;
    const answer = kept.answer();
    if (answer !== undefined) exchange.answerPrepared(answer);
    return answer !== undefined;
  }

  function keep(exchange: Exchange, kept: KeptAnswer): void {
    prepared.keep(exchange.connection.scope.config, exchange.request.url ?? '', kept);
  }

  /** True when the caller may; else they have their answer. */
  function admits(exchange: Exchange, name: string, field?: string): boolean {
    if (exchange.permitsSecret(name, field)) return true;
    context.metrics.denials.with('access').inc();
    answerFault(exchange, { status: 403, type: 'AccessDeniedException', message: 'not allowed' });
    return false;
  }

  function versionsOf(name: string): { entry: Entry; staged: StagedVersion[] } | AwsFault {
    const entry = view.names.find(name)?.entry;
    if (entry === undefined) return missing("Secrets Manager can't find the specified secret.");
    const staged = stagedVersions(entry, view.store.holders(entry.key));
    if (staged.length > 0) return { entry, staged };
    const why = entry.error === undefined ? 'it has not been obtained yet' : entry.error.message;
    return { status: 503, type: 'ServiceUnavailableException', message: `secret ${name}: ${why}` };
  }

  function deliver(
    exchange: Exchange,
    name: string,
    entry: Entry,
    { version }: StagedVersion,
    value: object,
  ): void {
    const body = Buffer.from(JSON.stringify(value), 'utf8');
    const { number } = version;
    const delivery = { name, entryKey: entry.key, number, shownVersion: shownVersion(version) };
    exchange.answer(200, jsonHeaders(body.length), body, delivery);
  }

  async function getSecret(exchange: Exchange, query: SecretQuery): Promise<void> {
    const { name, shown, arn } = secretNamed(query.secretId);
    const { anySecret } = exchange.connection.scope.config;
    if (anySecret !== undefined && view.names.find(name) === undefined)
      return await getUnnamed(exchange, query, anySecret);
    if (!admits(exchange, name)) return;
    if (query.refreshNow) {
      const [result] = await view.refresh([name], AbortSignal.timeout(refreshLimitMs));
      if (!admits(exchange, name)) return;
      if (result?.error !== undefined && result.error.code !== 'not_found') {
        const { message } = result.error;
        answerFault(exchange, { status: 502, type: 'InternalServiceError', message });
        return;
      }
    }
    const found = versionsOf(name);
    if ('status' in found) {
      answerFault(exchange, found);
      return;
    }
    const { versionId, versionStage } = query;
    const meant = found.staged.find(
      ({ version, stage }) =>
        (versionId === undefined || versionId === versionIdOf(found.entry, version)) &&
        (versionStage ?? (versionId === undefined ? 'AWSCURRENT' : stage)) === stage,
    );
    if (meant !== undefined) {
      const value = (): object => secretValue({ name: shown, arn }, found.entry, meant);
      if (!query.refreshNow) {
        const { entry } = found;
        const answer = { name, field: undefined, entry, version: meant.version, make: value };
        keep(exchange, prepared.named({ ...answer, isTimed: false }));
      }
      deliver(exchange, name, found.entry, meant, value());
      return;
    }
    const what = versionId === undefined ? `staging label: ${versionStage}` : `VersionId: ${versionId}`;
    answerFault(exchange, missing(`Secrets Manager can't find the specified secret value for ${what}`));
  }

  /** The rules speak of its id, as it was asked by. */
  async function getUnnamed(exchange: Exchange, query: SecretQuery, config: AnySecretConfig): Promise<void> {
    if (!admits(exchange, query.secretId)) return;
    const found = await anySecrets.find(config, query, query.refreshNow);
    // The rules may be others by now.
    if (!admits(exchange, query.secretId)) return;
    if ('status' in found) {
      answerFault(exchange, found);
      return;
    }
    exchange.answerPrepared(found);
    if (query.refreshNow) return;
    const answer = anySecrets.keptOf(config, query);
    keep(exchange, { name: query.secretId, answer, weight: found.wire.length });
  }

  /** `stripe`, `/stripe`, or `/stripe/key` for one field. */
  function getParameter(exchange: Exchange): void {
    const query = parametersOf(exchange.query, ['name', 'version', 'label', 'withDecryption']);
    if ('status' in query) {
      answerFault(exchange, query);
      return;
    }
    const asked = query.get('name') ?? '';
    if (asked === '') {
      answerFault(exchange, { status: 400, text: 'missing parameter name' });
      return;
    }
    const { name, field, rest } = parameterNamed(asked);
    if (!admits(exchange, name, field)) return;
    const found = versionsOf(name);
    if ('status' in found && found.status === 503) {
      answerFault(exchange, found);
      return;
    }
    const meant = 'status' in found || rest.length > 0 ? undefined : versionMeant(query, found.staged);
    const value = meant && parameterValue(asked, meant.version, field);
    if (meant === undefined || value === undefined || 'status' in found) {
      const message = `no parameter ${asked}`;
      answerFault(exchange, { status: 400, type: 'ParameterNotFound', message });
      return;
    }
    const answer = { name, field, entry: found.entry, version: meant.version, make: () => value };
    keep(exchange, prepared.named({ ...answer, isTimed: false }));
    deliver(exchange, name, found.entry, meant, value);
  }

  /** An alias as it is, also behind the suffix of six characters that AWS gives an ARN; else a name or our own ARN. */
  function secretNamed(id: string): { name: string; shown: string; arn: string } {
    const isArn = id.startsWith('arn:');
    const alias = [id, isArn ? id.replace(/-[A-Za-z0-9]{6}$/, '') : id].find(
      (one) => view.names.nameOf(one) !== one,
    );
    if (alias === undefined) {
      const name = nameOfId(id);
      return { name, shown: name, arn: arnOf(name) };
    }
    const shown = isArn ? alias.replace(/^(?:[^:]*:){6}/, '').replace(/-[A-Za-z0-9]{6}$/, '') : alias;
    return { name: view.names.nameOf(alias), shown, arn: isArn ? id : arnOf(alias) };
  }

  /** The longest start of the path that is an alias, and then a field; else the first segment is the name. */
  function parameterNamed(asked: string): { name: string; field: string | undefined; rest: string[] } {
    const cut = asked.lastIndexOf('/');
    for (const [alias, field] of [
      [asked],
      [asked.slice(0, Math.max(cut, 0)), asked.slice(cut + 1)],
    ] as const) {
      const name = view.names.nameOf(alias);
      if (name !== alias) return { name, field, rest: [] };
    }
    const [name = '', field, ...rest] = asked.replace(/^\//, '').split('/');
    return { name, field, rest };
  }

  function getCredentials(exchange: Exchange, name: string): void {
    if (!exchange.permitsSecret(name)) {
      context.metrics.denials.with('access').inc();
      answerCode(exchange, 403, 'AccessDenied', 'not allowed');
      return;
    }
    const found = versionsOf(name);
    if ('status' in found) {
      const code = found.status === 503 ? 'ServiceUnavailable' : 'NotFound';
      const message = 'message' in found ? found.message : 'not found';
      answerCode(exchange, found.status === 503 ? 503 : 404, code, message);
      return;
    }
    const [current] = found.staged;
    if (current === undefined) return;
    try {
      const { entry } = found;
      const value = (): object => containerCredentials(name, entry, current.version, clock.wall());
      deliver(exchange, name, entry, current, value());
      const answer = { name, field: undefined, entry, version: current.version, make: value };
      keep(exchange, prepared.named({ ...answer, isTimed: true }));
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      answerCode(exchange, 404, 'NoCredentials', describeError(error));
    }
  }

  function route(exchange: Exchange): void | Promise<void> {
    const { path, query } = exchange;
    const secret = { versionId: undefined, versionStage: undefined, refreshNow: undefined };
    if (path === '/secretsmanager/get') {
      const asked = parametersOf(query, ['secretId', ...Object.keys(secret)]);
      const wanted =
        'status' in asked ? asked : secretQuery(asked, asked.get('secretId') ?? '', 'parameter secretId');
      return 'status' in wanted ? answerFault(exchange, wanted) : getSecret(exchange, wanted);
    }
    const prefix = pathPrefixOf(exchange.connection.scope.config);
    if (path.startsWith(prefix)) {
      const asked = parametersOf(query, Object.keys(secret));
      const id = decodeSegment(path.slice(prefix.length));
      const wanted = 'status' in asked ? asked : secretQuery(asked, id, 'secret ID');
      return 'status' in wanted ? answerFault(exchange, wanted) : getSecret(exchange, wanted);
    }
    if (path === '/systemsmanager/parameters/get') return getParameter(exchange);
    return answerFault(exchange, notFound);
  }

  return {
    name: 'aws',
    roots: ['ping', 'secretsmanager', 'systemsmanager', 'credentials'],
    rootsOf: (listener) => [rootOf(pathPrefixOf(listener))],
    isServedBy: (listener) => listener.serve.includes('aws'),
    handle(exchange) {
      const { path, method, identity } = exchange;
      if (path === '/ping') {
        exchange.skipAudit();
        if (method !== 'GET' && method !== 'HEAD') return answerText(exchange, 405, 'Not allowed');
        return answerText(exchange, 200, 'healthy');
      }
      const name = /^\/credentials\/aws\/([^/]+)$/.exec(path)?.[1];
      if (identity.caller.kind === 'unknown') {
        context.metrics.denials.with('access').inc();
        exchange.permits({ kind: 'list' });
        if (path.startsWith('/credentials/')) return answerCode(exchange, 403, 'AccessDenied', 'bad token');
        return answerText(exchange, 403, 'Bad Token');
      }
      if (method !== 'GET') return answerText(exchange, 405, 'Not allowed');
      if (answerKept(exchange)) return undefined;
      if (name !== undefined) return getCredentials(exchange, view.names.nameOf(decodeSegment(name)));
      return route(exchange);
    },
    refuse(exchange, { why, message }) {
      if (exchange.path.startsWith('/credentials/')) answerCode(exchange, 403, 'AccessDenied', message);
      else if (why === 'forwarded') answerText(exchange, 400, 'Forwarded');
      else answerText(exchange, 403, message);
    },
    errorBody: (code, message) => `${JSON.stringify({ __type: code, message })}\n`,
  };
}

function pathPrefixOf({ anySecret }: ListenerConfig): string {
  return anySecret?.pathPrefix ?? '/v1/';
}

/** The first segment, or any where the prefix ends within it. */
function rootOf(prefix: string): string {
  return /^\/([^/]+)\//.exec(prefix)?.[1] ?? anyRoot;
}

function secretQuery(query: URLSearchParams, secretId: string, what: string): SecretQuery | AwsFault {
  const refresh = query.get('refreshNow')?.toLowerCase() ?? 'false';
  if (secretId === '') return { status: 400, text: `missing ${what}` };
  if (!['true', '1', 'false', '0'].includes(refresh))
    return { status: 400, text: 'invalid refreshNow value' };
  return {
    secretId,
    versionId: query.get('versionId') ?? undefined,
    versionStage: query.get('versionStage') ?? undefined,
    refreshNow: refresh === 'true' || refresh === '1',
  };
}

/** A role to assume is refused too: whoever asks gets what the rules give them, under no other name. */
function parametersOf(query: string, known: readonly string[]): URLSearchParams | AwsFault {
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => !known.includes(key));
  return unknown === undefined ? parameters : { status: 400, text: `unknown parameter: ${unknown}` };
}

/** By `version` and `label`; the current one where neither is said. */
function versionMeant(query: URLSearchParams, staged: readonly StagedVersion[]): StagedVersion | undefined {
  const [label, version] = [query.get('label'), query.get('version')];
  if (label !== null && label !== 'AWSCURRENT' && label !== 'AWSPREVIOUS') return undefined;
  return staged.find(
    (one) =>
      (version === null || version === String(shownVersion(one.version))) &&
      (label ?? (version === null ? 'AWSCURRENT' : one.stage)) === one.stage,
  );
}

function missing(message: string): AwsFault {
  return { status: 400, type: 'ResourceNotFoundException', message };
}
