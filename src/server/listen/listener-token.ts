// The token that a TCP listener wants to be shown: the value of a variable, or of the file that its `file://` URL names, or of a
// file that the agent writes.

import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Caller } from '../../access/caller.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';
import type { Environment } from '../../base/surroundings.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import { createIdentity, type Identity } from './identity.ts';
import { provideTokenFile } from './provide-token-file.ts';

export interface ListenerToken {
  readonly bytes: Buffer;
  /** That may show it; undefined: the usual ones. */
  readonly headers: readonly string[] | undefined;
  /** Shared by all that show the token, so that decisions and ledger see one caller. */
  readonly caller: Identity;
}

/** The very one of before, where nothing of it is another. Undefined: none is wanted. Throws `listener_failed`. */
export function tokenOf(
  config: ListenerConfig,
  before: ListenerToken | undefined,
): ListenerToken | undefined {
  const provided = config.kind === 'tcp' ? provideToken(config, before?.bytes.toString('latin1')) : undefined;
  if (config.kind !== 'tcp' || provided === undefined) return undefined;
  const { text, caller } = provided;
  const headers = config.tokenHeaders;
  const bytes = Buffer.from(text, 'utf8');
  const isSame = before?.bytes.equals(bytes) && isDeepStrictEqual(before.headers, headers);
  if (isSame && isDeepStrictEqual(before?.caller.caller, caller)) return before;
  return { bytes, headers, caller: createIdentity(caller) };
}

/** Undefined: the listener is open. */
function provideToken(
  config: ListenerConfig & { kind: 'tcp' },
  current: string | undefined,
): { text: string; caller: Caller } | undefined {
  const { place, tokenFile, tokenFileRights, tokenVariables } = config;
  if (tokenVariables !== undefined) {
    // Whoever set the variable has given it to others too.
    const caller: Caller = { kind: 'token', tokens: [place], isGivenAway: true };
    return { text: tokenOfEnvironment(place, tokenVariables, process.env), caller };
  }
  if (tokenFile === undefined) return undefined;
  const { owner, group } = tokenFileRights ?? {};
  const isGivenAway = owner !== undefined || group !== undefined;
  return {
    text: provideTokenFile(place, tokenFile, { rights: tokenFileRights, current }),
    caller: { kind: 'token', tokens: [place, tokenFile], isGivenAway },
  };
}

/** Of the first of these variables that is set. Throws `listener_failed`. */
function tokenOfEnvironment(place: string, variables: readonly string[], env: Environment): string {
  const name = variables.find((one) => env[one] !== undefined && env[one] !== '');
  const value = name === undefined ? undefined : env[name];
  if (name === undefined || value === undefined) {
    throw failed(place, `none of ${variables.join(', ')} is set`, 'set one, or name a token_file instead');
  }
  const token = value.startsWith('file://') ? readToken(place, name, value) : value;
  if (token !== '') return token;
  throw failed(place, `$${name} gives an empty token`, 'put a token there that cannot be guessed');
}

function readToken(place: string, name: string, url: string): string {
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch {
    throw failed(place, `$${name} is no URL of a file of this host`, 'write it as file:///PATH');
  }
  try {
    return readControlledFileSync(path).bytes.toString('utf8').trim();
  } catch (error) {
    const why = `cannot read ${path} of $${name}: ${pathErrorText(error)}`;
    throw failed(place, why, 'write the token there before the agent starts');
  }
}

function failed(place: string, why: string, remedy: string): LatchkeyError {
  return new LatchkeyError('listener_failed', `${keyAt(place, 'token_env')}: ${why}`, { remedy });
}
