// Finds the API key of a user of Oracle Cloud: by the variables `OCI_…`, else in the configuration file of its tools.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LatchkeyError } from '../../../base/errors.ts';
import type { Environment, FaultOf } from '../../../base/surroundings.ts';
import { readLoginFile } from '../login-file.ts';
import { fieldOf, homeFolder } from '../profile-file.ts';
import type { OciKey } from './oci-signature.ts';

export interface OciKeySource {
  readonly env: Environment;
  /** Undefined: `~/.oci/config`, else `$OCI_CONFIG_FILE`, else `~/.oraclebmc/config`. */
  readonly configFile: string | undefined;
  readonly profile: string;
  readonly faultOf?: FaultOf | undefined;
}

type Fields = ReadonlyMap<string, string>;

const remedy =
  'write user, fingerprint, tenancy and key_file to ~/.oci/config, or log in with auth.type: instance';

/** Throws `login_failed`. */
export async function findOciKey(source: OciKeySource): Promise<OciKey> {
  const said = source.configFile === undefined ? fromEnvironment(source.env) : undefined;
  if (said !== undefined) return { id: said.id, key: await readKey(said.keyFile, undefined, source) };
  const { faultOf } = source;
  const path = configPath(source);
  const fields = await readProfile(path, source);
  const wanted = (name: string) => {
    const value = fields.get(name);
    if (value) return value;
    throw failure(`${path}: the profile ${source.profile} has no ${name}`);
  };
  const keyFile = wanted('key_file');
  const passphrase = fields.get('pass_phrase') ?? fields.get('passphrase');
  const tokenFile = fields.get('user') ? undefined : fields.get('security_token_file');
  const id = tokenFile
    ? `ST$${(await readLoginFile(inHome(tokenFile, source), { remedy, faultOf })).trim()}`
    : `${wanted('tenancy')}/${wanted('user')}/${wanted('fingerprint')}`;
  return { id, key: await readKey(keyFile, passphrase, source) };
}

function fromEnvironment(env: Environment): { id: string; keyFile: string } | undefined {
  const [tenancy, user, fingerprint] = ['tenancy_ocid', 'user_ocid', 'fingerprint'].map(
    (name) => env[`OCI_${name}`],
  );
  const keyFile = env['OCI_private_key_path'];
  return tenancy && user && fingerprint && keyFile
    ? { id: `${tenancy}/${user}/${fingerprint}`, keyFile }
    : undefined;
}

function configPath(source: OciKeySource): string {
  if (source.configFile !== undefined) return source.configFile;
  const usual = join(homeFolder(source.env), '.oci/config');
  const named = source.env['OCI_CONFIG_FILE'];
  const old = join(homeFolder(source.env), '.oraclebmc/config');
  return [usual, named && inHome(named, source), old].find((path) => path && existsSync(path)) || usual;
}

/** Of the tools of Oracle a `~` at the front alone means the home. */
function inHome(path: string, source: OciKeySource): string {
  return path.startsWith('~') ? join(homeFolder(source.env), path.slice(1)) : resolve(path);
}

async function readProfile(path: string, { profile, faultOf }: OciKeySource): Promise<Fields> {
  const text = await readLoginFile(path, { what: `the configuration of OCI ${path}`, remedy, faultOf });
  const fields = new Map<string, string>();
  let isHere = false;
  let isFound = false;
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\[(.*)\]/.exec(line)?.[1];
    if (heading !== undefined) {
      isHere = heading === profile && !isFound;
      isFound ||= isHere;
    }
    const [key, value] = fieldOf(line) ?? [];
    if (isHere && key !== undefined && value !== undefined) fields.set(key.toLowerCase(), value);
  }
  if (isFound) return fields;
  throw failure(`${path} has no profile ${profile}`);
}

async function readKey(
  path: string,
  passphrase: string | undefined,
  source: OciKeySource,
): Promise<KeyObject> {
  const file = inHome(path, source);
  return ociPrivateKey(
    await readLoginFile(file, { what: `the key of OCI ${file}`, remedy, faultOf: source.faultOf }),
    file,
    passphrase,
  );
}

/** Throws `login_failed` without a word of the key. */
export function ociPrivateKey(pem: string, where: string, passphrase?: string): KeyObject {
  try {
    const key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // What is wrong with it would be told with parts of it.
  }
  const isSealed = passphrase === undefined && /ENCRYPTED/.test(pem);
  throw failure(
    isSealed
      ? `${where} is encrypted, and the profile has no pass_phrase`
      : `${where} is no RSA key in PEM${passphrase === undefined ? '' : ' that its pass_phrase opens'}`,
  );
}

function failure(message: string): LatchkeyError {
  return new LatchkeyError('login_failed', message, { remedy });
}
