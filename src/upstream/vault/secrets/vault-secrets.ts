// The agent's questions in Vault's terms: secrets by reference, KV versions, leases. Logins and servers are left to others.

import { isJsonObject, type JsonObject } from '../../../base/text/json.ts';
import type { Clock } from '../../../base/time/clock.ts';
import { UpstreamError } from '../../../base/upstream-error.ts';
import { type Reference, referenceKey } from '../../../store/reference.ts';
import type { ReadableSource, RequestOptions } from '../../../store/secret-reading.ts';
import type { SecretAnswer } from '../../../store/secret-version.ts';
import type { ServerClock } from '../../http/server-clock.ts';
import { answerJson, answerTexts, requestRefusal, type VaultAnswer } from '../answer-policy.ts';
import type { Authorised, AuthorisedAnswer } from '../session/authorised.ts';
import type { SessionToken } from '../session/session-token.ts';
import { apiPath, type Mount } from './kv-path-policy.ts';
import { createLeaseRequests } from './lease-requests.ts';
import { createMountTable } from './mount-table.ts';
import { createNewestVersion } from './newest-version.ts';
import { howToReplace } from './revocation-policy.ts';
import { createRevocationRequests } from './revocation-requests.ts';
import { isSameAnswer, judgedOnce } from './same-answer.ts';
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

export function createVaultSecrets(options: VaultSecretsOptions): VaultSecrets {
  const { authorised, clock, serverClock } = options;
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

  const newest = createNewestVersion({ authorised, clock, serverClock, mountOf: mounts.find });
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

  return {
    read,
    ...newest,
    leases: createLeaseRequests(options),
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
