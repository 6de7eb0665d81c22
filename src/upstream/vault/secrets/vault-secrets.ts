// The agent's questions in Vault's terms: secrets by reference, KV versions, leases. Logins and servers are left to others.

import { isJsonObject, JsonNumber, type JsonObject } from '../../../base/text/json.ts';
import type { Clock } from '../../../base/time/clock.ts';
import { UpstreamError } from '../../../base/upstream-error.ts';
import { type Reference, referenceKey } from '../../../store/reference.ts';
import type { LeaseRenewal, ReadableSource, RequestOptions } from '../../../store/secret-reading.ts';
import type { SecretAnswer, SecretVersion } from '../../../store/secret-version.ts';
import type { ServerClock } from '../../http/server-clock.ts';
import {
  answerJson,
  answerTexts,
  invalidAnswer,
  requestRefusal,
  type VaultAnswer,
} from '../answer-policy.ts';
import type { Authorised, AuthorisedAnswer } from '../session/authorised.ts';
import type { SessionToken } from '../session/session-token.ts';
import { longestSeconds, seconds } from './issued-life.ts';
import { apiPath, type Mount, metadataPath } from './kv-path-policy.ts';
import { createMountTable } from './mount-table.ts';
import { howToReplace } from './revocation-policy.ts';
import { createRevocationRequests } from './revocation-requests.ts';
import { isSameAnswer, markOfAnswer } from './same-answer.ts';
import { toSecretAnswer } from './secret-answer.ts';
import { createTotpCodes } from './totp-codes.ts';

export interface VaultSecretsOptions {
  readonly authorised: Authorised;
  readonly clock: Clock;
  readonly serverClock: ServerClock;
  /** A lease was issued under this token. */
  readonly onLease: (leaseId: string, token: SessionToken) => void;
  readonly onLeaseGone: (leaseId: string) => void;
  readonly isOwnToken: (token: string) => boolean;
}

export interface VaultSecrets
  extends Required<
    Pick<
      ReadableSource,
      'read' | 'canTell' | 'isCurrent' | 'canonicalKey' | 'leases' | 'revocation' | 'howToReplace'
    >
  > {
  /** With a slash at the end; undefined while it is not known. */
  mountOf(path: string): string | undefined;
  /** Asks where it is not known; undefined when the server does not tell. */
  findMount(path: string, request: RequestOptions): Promise<Mount | undefined>;
}

const versionedWarning = 'Invalid path for a versioned K/V secrets engine';
/** How long a mount whose metadata may not be read is not asked for them again. */
const metadataDeniedMs = 600_000;
const leaseGone = /lease (?:not found|expired)|invalid lease/i;

export function createVaultSecrets(options: VaultSecretsOptions): VaultSecrets {
  const { authorised, clock, serverClock } = options;
  const metadataDeniedUntil = new Map<string, number>();
  /** By which metadata a version was the newest. */
  const newestMarks = new WeakMap<Reference, string>();
  const mounts = createMountTable({
    clock,
    ask: (path, request) =>
      authorised({
        method: 'GET',
        path: `sys/internal/ui/mounts/${path}`,
        isOptional: true,
        isHarmless: true,
        ...request,
      }),
  });

  const totpCodes = createTotpCodes({
    clock,
    serverClock,
    ask: (path, request) =>
      authorised({ method: 'GET', path, isOptional: true, isHarmless: true, ...request }),
  });

  async function ask(
    reference: Reference,
    mount: Mount | undefined,
    request: RequestOptions,
    isKnown?: (body: Buffer) => boolean,
  ) {
    const path = apiPath(reference.path, mount, reference.operation);
    if (reference.operation === 'write') {
      const fields: JsonObject = { ...reference.parameters };
      const body =
        mount?.kvVersion === 2 && !/^metadata\//.test(path.slice(mount.prefix.length))
          ? { data: fields }
          : fields;
      return { path, answer: await authorised({ method: 'PUT', path, body, ...request }) };
    }
    const query = queryOf(reference);
    // Whatever no key/value engine reads may be made by the reading.
    const isHarmless = (mount?.kvVersion ?? 0) > 0;
    return {
      path,
      answer: await authorised({
        ...{ method: 'GET', path, isHarmless, ...request },
        ...(query && { query }),
        ...(isKnown && { isKnown }),
      }),
    };
  }

  /** An answer that shows a wrong idea of the mount corrects it; the request is then made once more. */
  function corrected(path: string, mount: Mount | undefined, answer: VaultAnswer): boolean {
    if (answer.status !== 404) return false;
    const isVersioned = answerTexts(answer, 'warnings').some((text) => text.startsWith(versionedWarning));
    if (isVersioned && mount?.kvVersion !== 2) {
      const prefix = mount?.prefix ?? `${path.split('/', 1)[0]}/`;
      mounts.learn({ prefix, kvVersion: 2 });
      return true;
    }
    if (answerTexts(answer).some((text) => text.includes('no handler for route'))) mounts.forget(path);
    return false;
  }

  function remember(answer: SecretAnswer, token: SessionToken): SecretAnswer {
    if (answer.lease) options.onLease(answer.lease.id, token);
    return answer;
  }

  async function read(
    reference: Reference,
    request: RequestOptions,
    known?: SecretAnswer,
  ): Promise<SecretAnswer> {
    const mount = mounts.find(reference.path) ?? (await mounts.resolve(reference.path, request));
    const before = bodyToCompare(reference, known);
    const isKnown = before && judgedOnce((body) => isSameAnswer(body, before));
    let asked = await ask(reference, mount, request, isKnown);
    if (known !== undefined && asked.answer.status === 200 && isKnown?.(asked.answer.body) === true)
      return known;
    if (corrected(reference.path, mount, asked.answer)) {
      asked = await ask(reference, mounts.find(reference.path), request);
    }
    const { answer, path } = asked;
    const what = `${reference.operation} ${path}`;
    if (answer.status >= 300) throw refusal(answer, reference, path, what);
    const found = mounts.find(reference.path);
    const { operation, parameters } = reference;
    const wallMs = serverClock.wall();
    const context = { what, operation, parameters, mount: found, wallMs };
    const aged = await totpCodes.aged(toSecretAnswer(answer, context), reference, found, request);
    return remember(aged, answer.token);
  }

  /** What may be asked whether a version is the newest; undefined: nothing that is cheaper than the secret itself. */
  function metadataOf(reference: Reference, { versionId }: SecretVersion) {
    if (reference.operation !== 'read' || versionId === undefined) return undefined;
    const mount = mounts.find(reference.path);
    const path = metadataPath(reference.path, mount);
    if (mount === undefined || path === undefined) return undefined;
    return (metadataDeniedUntil.get(mount.prefix) ?? 0) > clock.now()
      ? undefined
      : { mount, path, versionId };
  }

  async function renew(
    leaseId: string,
    incrementSeconds: number,
    request: RequestOptions,
  ): Promise<LeaseRenewal> {
    const increment = new JsonNumber(String(Math.max(1, Math.round(incrementSeconds))));
    const body = { lease_id: leaseId, increment };
    const answer = await authorised({
      ...{ method: 'PUT', path: 'sys/leases/renew', body, isHarmless: true },
      ...request,
    });
    if (answer.status >= 300) throw leaseRefusal(answer, 'renew', leaseId, options.onLeaseGone);
    const json = answerJson(answer);
    if (json === undefined) throw invalidAnswer(`renew ${leaseId}`, answer);
    return {
      durationSeconds: Math.min(Math.max(0, seconds(json['lease_duration']) ?? 0), longestSeconds),
      isRenewable: json['renewable'] === true,
    };
  }

  async function revoke(leaseId: string, request: RequestOptions): Promise<void> {
    const body = { lease_id: leaseId };
    const answer = await authorised({
      ...{ method: 'PUT', path: 'sys/leases/revoke', body, isHarmless: true },
      ...request,
    });
    options.onLeaseGone(leaseId);
    if (answer.status < 300 || answerTexts(answer).some((text) => leaseGone.test(text))) return;
    throw leaseRefusal(answer, 'revoke', leaseId, options.onLeaseGone);
  }

  return {
    read,
    canTell: (reference, version) => metadataOf(reference, version) !== undefined,
    async isCurrent(reference, version, request) {
      const found = metadataOf(reference, version);
      if (found === undefined) return undefined;
      const { mount, path, versionId } = found;
      const mark = newestMarks.get(reference);
      const isKnown = judgedOnce((body) => mark === `${versionId} ${markOfAnswer(body)}`);
      const answer = await authorised({
        ...{ method: 'GET', path, isOptional: true, isHarmless: true, ...request },
        ...(mark !== undefined && { isKnown }),
      });
      if (answer.status === 200 && mark !== undefined && isKnown(answer.body)) return true;
      newestMarks.delete(reference);
      if (answer.status === 403) metadataDeniedUntil.set(mount.prefix, clock.now() + metadataDeniedMs);
      if (answer.status === 404) return false;
      if (answer.status !== 200) return undefined;
      const wallMs = serverClock.wall();
      const told = isNewest(answer, versionId, reference.parameters['version'], wallMs);
      // Not where it will be deleted: the same answer says something else then.
      if (told === 'for good') newestMarks.set(reference, `${versionId} ${markOfAnswer(answer.body)}`);
      return told === undefined ? undefined : told !== 'no';
    },
    leases: { renew, revoke },
    revocation: createRevocationRequests({
      authorised,
      mountOf: mounts.find,
      isOwnToken: options.isOwnToken,
    }),
    howToReplace: (reference, version) => howToReplace(reference, mounts.find(reference.path), version),
    mountOf: (path) => mounts.find(path)?.prefix,
    findMount: mounts.resolve,
    canonicalKey(reference) {
      const path = apiPath(reference.path, mounts.find(reference.path), reference.operation);
      return referenceKey(reference, path);
    },
  };
}

/** The gate asks it of an answer, and then who reads that. */
function judgedOnce(judge: (body: Buffer) => boolean): (body: Buffer) => boolean {
  let last: { readonly body: Buffer; readonly verdict: boolean } | undefined;
  return (body) => {
    if (last?.body !== body) last = { body, verdict: judge(body) };
    return last.verdict;
  };
}

function queryOf({ operation, parameters }: Reference): Record<string, string> | undefined {
  if (operation === 'list') return { ...parameters, list: 'true' };
  return Object.keys(parameters).length === 0 ? undefined : parameters;
}

/** What an answer is compared with: of what neither ends, nor counts down, nor was lent. */
function bodyToCompare({ operation }: Reference, known: SecretAnswer | undefined): Buffer | undefined {
  if (operation !== 'read' || known?.content.form !== 'vault') return undefined;
  const isLasting = known.kind === 'static' && known.ttlSeconds === undefined && known.lease === undefined;
  return isLasting ? known.content.body.bytes() : undefined;
}

function refusal(answer: AuthorisedAnswer, reference: Reference, path: string, what: string): UpstreamError {
  const secrets = [
    answer.token.value.text(),
    ...(reference.operation === 'write' ? hiddenValues(reference) : []),
  ];
  const capability = { read: 'read', list: 'list', write: 'create and update' }[reference.operation];
  const data = answerJson(answer)?.['data'];
  if (answer.status === 404 && isJsonObject(data)) {
    const isDestroyed = isJsonObject(data['metadata']) && data['metadata']['destroyed'] === true;
    return new UpstreamError(
      'not_found',
      `${what}: this version is ${isDestroyed ? 'destroyed' : 'deleted'}`,
      {
        status: 404,
        remedy: `${isDestroyed ? '' : 'undelete it, or '}write a new version to "${path}"`,
      },
    );
  }
  return requestRefusal(answer, { what, path, capability, secrets });
}

function hiddenValues({ parameters, shownParameters = [] }: Reference): string[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    shownParameters.includes(name) ? [] : [value],
  );
}

/** Metadata tell of each version whether it is deleted; a date in the future is only a plan. */
function isNewest(
  answer: VaultAnswer,
  version: string,
  pinned: string | undefined,
  wallMs: number,
): 'for good' | 'as yet' | 'no' | undefined {
  const data = answerJson(answer)?.['data'];
  if (!isJsonObject(data)) return undefined;
  const isPinned = pinned !== undefined && pinned !== '0' && pinned !== '';
  if (!isPinned && String(seconds(data['current_version'])) !== version) return 'no';
  const versions = data['versions'];
  const entry = isJsonObject(versions) ? versions[version] : undefined;
  if (!isJsonObject(entry)) return 'no';
  const deletion = entry['deletion_time'];
  const isPlanned = typeof deletion === 'string' && deletion !== '';
  if (entry['destroyed'] === true || (isPlanned && Date.parse(deletion) <= wallMs)) return 'no';
  return isPlanned ? 'as yet' : 'for good';
}

function leaseRefusal(
  answer: AuthorisedAnswer,
  action: 'renew' | 'revoke',
  leaseId: string,
  onLeaseGone: (leaseId: string) => void,
): UpstreamError {
  const what = `${action} lease ${leaseId}`;
  const texts = answerTexts(answer);
  if (answer.status === 404 || texts.some((text) => leaseGone.test(text))) {
    onLeaseGone(leaseId);
    return new UpstreamError('lease_lost', `${what}: the vault does not have it any more`, {
      status: answer.status,
      remedy: 'a new one is asked for; see the audit log of the vault for who revoked it',
    });
  }
  const path = `sys/leases/${action}`;
  return requestRefusal(answer, { what, path, capability: 'update', secrets: [answer.token.value.text()] });
}
