// The token of a TCP listener as the environment gives it: the value of a variable, or the file that a `file://` URL names.
import { fileURLToPath } from 'node:url';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';

/** Of the first of these variables that is set. Throws `listener_failed`. */
export function tokenOfEnvironment(
  place: string,
  variables: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string {
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
  return new LatchkeyError('listener_failed', `${place}.token_env: ${why}`, { remedy });
}
