// Response wrapping: the answer goes into the cubbyhole of a token that opens it once.
import { JsonNumber } from '../../../../src/base/text/json.ts';
import type { Call, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { intField, textField } from '../fields.ts';
import type { TokenEntry } from './token-table.ts';

const wrappingPolicyName = 'response-wrapping';

export function isWrappingToken(core: Core, id: string): boolean {
  return wrappingTokenOf(core, id) !== undefined;
}

function wrappingTokenOf(core: Core, id: string): TokenEntry | undefined {
  const token = core.tokens.lookup(id);
  return token?.policies.length === 1 && token.policies[0] === wrappingPolicyName ? token : undefined;
}

/** What lies in a wrapping token's cubbyhole, under the names that Vault uses there. */
export interface Wrapped {
  readonly payload: string;
  readonly creationPath: string;
  readonly creationTime: string;
  readonly ttlSeconds: number;
}

export function readWrapped(token: TokenEntry): Wrapped | undefined {
  const response = token.cubbyhole.get('response')?.['response'];
  const info = token.cubbyhole.get('wrapinfo');
  if (typeof response !== 'string' || info === undefined) return undefined;
  return {
    payload: response,
    creationPath: textField(info, 'creation_path'),
    creationTime: textField(info, 'creation_time'),
    ttlSeconds: intField(info, 'creation_ttl'),
  };
}

/** Puts `body` away and gives the answer that holds only `wrap_info`. */
export function wrapAnswer(
  core: Core,
  call: Call,
  body: object,
  response: VaultResponse,
  ttlSeconds: number,
): object {
  const token = core.tokens.create({
    namespace: call.namespace,
    policies: [wrappingPolicyName],
    path: call.path,
    displayName: '',
    numUses: 1,
    renewable: false,
    explicitMaxTtlSeconds: ttlSeconds,
    ttlSeconds,
  });
  const creationTime = new Date(core.clock.wall()).toISOString();
  const creationPath = response.rewrap?.creationPath ?? call.path;
  token.cubbyhole.set('response', { response: response.rewrap?.payload ?? JSON.stringify(body) });
  token.cubbyhole.set('wrapinfo', {
    creation_ttl: new JsonNumber(String(ttlSeconds)),
    creation_time: creationTime,
    creation_path: creationPath,
  });
  return {
    request_id: '',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: {
      token: token.id,
      accessor: token.accessor,
      ttl: ttlSeconds,
      creation_time: creationTime,
      creation_path: creationPath,
      ...wrappedAccessor(body, response),
    },
    warnings: response.warnings?.length ? response.warnings : null,
    auth: null,
  };
}

function wrappedAccessor(body: object, response: VaultResponse): object {
  const { auth } = body as { auth: { accessor?: string } | null };
  const secretIdAccessor = (response.data as { secret_id_accessor?: string } | undefined)?.secret_id_accessor;
  const accessor = auth?.accessor ?? secretIdAccessor;
  return accessor ? { wrapped_accessor: accessor } : {};
}
