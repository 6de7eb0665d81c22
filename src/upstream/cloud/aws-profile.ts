// Profiles of AWS's shared files: keys, roles with a source profile, web identities, Identity Center and credential processes.
import { join } from 'node:path';
import { LatchkeyError } from '../../base/errors.ts';
import type { Environment, FaultOf } from '../../base/surroundings.ts';
import { environmentOfOthers } from '../../base/system/harmless-environment.ts';
import { isJsonObject, parseJson } from '../../base/text/json.ts';
import { createSystemClock } from '../../base/time/clock.ts';
import { runProgram } from '../exec/run-program.ts';
import {
  type AwsCredentialSource,
  type AwsCredentials,
  awsKeys,
  awsRemedy,
  keysFromJson,
} from './aws-keys.ts';
import { assumeRole } from './aws-roles.ts';
import { keysOfSso } from './aws-sso.ts';
import { isOfOthers, readLoginFile } from './login-file.ts';
import { fieldOf, homeFolder } from './profile-file.ts';

type Fields = ReadonlyMap<string, string>;
type Profiles = ReadonlyMap<string, Fields>;

/** What else a profile may name as the source of its credentials. */
export interface OtherSources {
  webIdentity(env: Environment): Promise<AwsCredentials | undefined>;
  named(source: string): Promise<AwsCredentials | undefined>;
  stsEndpoint(region: string | undefined): string;
}

/** What stays the same on the way from a profile to those that it names. */
interface Search {
  readonly profiles: Profiles;
  readonly source: AwsCredentialSource;
  readonly others: OtherSources;
}

const mostHops = 5;

/** Undefined: there is no such profile, or it has no credentials. Throws `login_failed`. */
export async function keysOfProfile(
  source: AwsCredentialSource,
  others: OtherSources,
): Promise<AwsCredentials | undefined> {
  const profiles = await readProfiles(source);
  const name = source.env['AWS_PROFILE'] ?? 'default';
  if (source.env['AWS_PROFILE'] !== undefined && !profiles.has(name))
    throw wrong(name, 'is in no shared file');
  return await resolve(name, { profiles, source, others }, []);
}

/** The region of the profile that is meant. */
export async function regionOfProfile(
  source: Pick<AwsCredentialSource, 'env' | 'faultOf'>,
): Promise<string | undefined> {
  const { env } = source;
  return (await readProfiles(source)).get(env['AWS_PROFILE'] ?? 'default')?.get('region');
}

async function resolve(
  name: string,
  search: Search,
  seen: readonly string[],
): Promise<AwsCredentials | undefined> {
  const { profiles, source } = search;
  const fields = profiles.get(name);
  if (fields === undefined) return undefined;
  const [id, secret] = [fields.get('aws_access_key_id'), fields.get('aws_secret_access_key')];
  const roleArn = fields.get('role_arn');
  const isOwnSource = seen.at(-1) === name;
  if (roleArn !== undefined && !isOwnSource) return await ofRole(name, roleArn, fields, search, seen);
  if (id !== undefined && secret !== undefined)
    return awsKeys(id, secret, fields.get('aws_session_token'), undefined);
  if (fields.has('sso_session') || fields.has('sso_start_url')) {
    const session = fields.get('sso_session');
    const own = session === undefined ? undefined : profiles.get(`sso-session ${session}`);
    return await keysOfSso(name, fields, own, source);
  }
  const command = fields.get('credential_process');
  return command === undefined ? undefined : await ofProcess(command, name, source);
}

async function ofRole(
  name: string,
  roleArn: string,
  fields: Fields,
  search: Search,
  seen: readonly string[],
): Promise<AwsCredentials> {
  const { source, others } = search;
  const tokenFile = fields.get('web_identity_token_file');
  const sessionName = fields.get('role_session_name');
  if (fields.has('mfa_serial'))
    throw wrong(name, 'wants the code of an MFA device (mfa_serial), and nobody is here to type it');
  if (tokenFile !== undefined) {
    const env = {
      ...source.env,
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_ARN: roleArn,
      AWS_ROLE_SESSION_NAME: sessionName,
    };
    const keys = await others.webIdentity(env);
    if (keys !== undefined) return keys;
  }
  const keys = await keysForRole(name, fields, search, seen);
  const region = source.env['AWS_REGION'] || source.env['AWS_DEFAULT_REGION'] || fields.get('region');
  const duration = Number(fields.get('duration_seconds') ?? Number.NaN);
  return await assumeRole(
    keys,
    {
      roleArn,
      sessionName,
      externalId: fields.get('external_id'),
      ...(Number.isNaN(duration) ? {} : { durationSeconds: duration }),
    },
    { region: region ?? 'us-east-1', endpoint: others.stsEndpoint(region), signal: source.signal },
  );
}

/** What the role is taken with: another profile's, or what the profile names. */
async function keysForRole(
  name: string,
  fields: Fields,
  search: Search,
  seen: readonly string[],
): Promise<AwsCredentials> {
  const [from, other] = [fields.get('source_profile'), fields.get('credential_source')];
  if (seen.length >= mostHops || (from !== undefined && from !== name && seen.includes(from)))
    throw wrong(name, 'leads back to itself');
  const keys =
    from === undefined
      ? await search.others.named(other ?? '')
      : await resolve(from, search, [...seen, name]);
  if (keys === undefined) throw wrong(name, 'has a role_arn, and no credentials to take it with');
  return keys;
}

/** Words as a shell has them, and no shell. */
async function ofProcess(
  command: string,
  name: string,
  { env, signal, faultOf }: AwsCredentialSource,
): Promise<AwsCredentials> {
  const words = [...command.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double?.replace(/\\(.)/g, '$1') ?? single ?? plain ?? '',
  );
  const end = await runProgram({
    command: words,
    input: '',
    env: environmentOfOthers(env),
    workingDir: '/',
    uid: undefined,
    gid: undefined,
    timeoutMs: 60_000,
    maxBytes: 64 * 1024,
    clock: createSystemClock(),
    signal,
    faultOf,
  });
  try {
    const answer = parseJson(end.stdout.toString('utf8'));
    if (end.code === 0 && isJsonObject(answer))
      return keysFromJson(answer, `credential_process of ${name}`, 'SessionToken');
  } catch {
    // The parser's error would quote the answer.
  }
  throw wrong(name, `: credential_process ended with ${end.code ?? 'a signal'} and without credentials`);
}

async function readProfiles({
  env,
  faultOf,
}: Pick<AwsCredentialSource, 'env' | 'faultOf'>): Promise<Profiles> {
  const folder = join(homeFolder(env), '.aws');
  const profiles = new Map<string, Map<string, string>>();
  const sources = [
    { path: env['AWS_CONFIG_FILE'], fallback: 'config' },
    { path: env['AWS_SHARED_CREDENTIALS_FILE'], fallback: 'credentials' },
  ];
  for (const { path, fallback } of sources) {
    for (const [name, field, value] of fieldsIn(await textOf(path, join(folder, fallback), faultOf))) {
      const fields = profiles.get(name) ?? new Map<string, string>();
      profiles.set(name, fields.set(field, value));
    }
  }
  return profiles;
}

/** What the environment names must be there. */
async function textOf(
  named: string | undefined,
  fallback: string,
  faultOf: FaultOf | undefined,
): Promise<string> {
  const path = named || fallback;
  try {
    return await readLoginFile(path, { what: `the shared file ${path}`, remedy: awsRemedy, faultOf });
  } catch (error) {
    // One that is not there is none; one that others can write is not as if it were not there.
    if (!named && !isOfOthers(error)) return '';
    throw error;
  }
}

function* fieldsIn(text: string): Generator<[profile: string, field: string, value: string]> {
  let section = '';
  for (const line of text.split('\n')) {
    const header = /^\s*\[([^\]]*)\]/.exec(line)?.[1]?.trim();
    if (header !== undefined) section = header.replace(/^profile\s+/, '').replace(/^"(.*)"$/, '$1');
    const [field = '', value = ''] = (/^[a-z_]/.test(line) && fieldOf(line)) || [];
    if (/^[a-z_]+$/.test(field) && section !== '') yield [section, field, value];
  }
}

function wrong(profile: string, what: string): LatchkeyError {
  return new LatchkeyError('login_failed', `the AWS profile ${profile} ${what}`, { remedy: awsRemedy });
}
