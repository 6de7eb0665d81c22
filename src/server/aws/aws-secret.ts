// A secret in the shapes of AWS: GetSecretValue, SSM's GetParameter, container credentials. Which version is meant, and
// what it is called; who may have it is decided before.
import { createHash } from 'node:crypto';
import { awsCredentials, endlessCredentialsLifeMs } from '../../base/aws-credentials.ts';
import { stringifyJson } from '../../base/text/json.ts';
import type { Entry } from '../../store/entry.ts';
import { fieldBytes, type SecretVersion, secretFields, shownVersion } from '../../store/secret-version.ts';

export type Stage = 'AWSCURRENT' | 'AWSPREVIOUS';

export interface StagedVersion {
  readonly version: SecretVersion;
  readonly stage: Stage;
}

/** The only field of a secret that stands for the whole: then the text is not wrapped in JSON. */
const wholeFields = ['value', 'secret_string', 'SecretString'];
const account = '000000000000';

/** Current, and the newest of those before it that somebody still holds. */
export function stagedVersions(entry: Entry, holders: ReadonlyMap<string, SecretVersion>): StagedVersion[] {
  const { current } = entry;
  if (current === undefined) return [];
  const before = [...holders.values()]
    .filter(({ number }) => number < current.number)
    .sort((a, b) => b.number - a.number)[0];
  const staged: StagedVersion[] = [{ version: current, stage: 'AWSCURRENT' }];
  if (before !== undefined) staged.push({ version: before, stage: 'AWSPREVIOUS' });
  return staged;
}

/** Stable for a name, on every host: `arn:aws:secretsmanager:local:000000000000:secret:NAME-xxxxxx`. */
export function arnOf(name: string): string {
  return `arn:aws:secretsmanager:local:${account}:secret:${name}-${suffixOf(name)}`;
}

/** The name that an id means: a name, or our ARN with or without its suffix. */
export function nameOfId(id: string): string {
  const start = `arn:aws:secretsmanager:local:${account}:secret:`;
  if (!id.startsWith(start)) return id;
  const rest = id.slice(start.length);
  const name = rest.slice(0, -7);
  return rest === `${name}-${suffixOf(name)}` ? name : rest;
}

/** Tells versions apart and nothing of their values: a UUID of entry and number. */
export function versionIdOf(entry: Entry, version: SecretVersion): string {
  // A number of the agent's own begins again with each start.
  const own = version.versionId === undefined ? version.obtainedAt : '';
  const hex = createHash('sha256')
    .update(`${entry.key}\n${shownVersion(version)}\n${own}`)
    .digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

export function secretValue(
  { name, arn }: { name: string; arn: string },
  entry: Entry,
  { version, stage }: StagedVersion,
): object {
  return {
    ARN: arn,
    Name: name,
    VersionId: versionIdOf(entry, version),
    ...contentOf(version),
    VersionStages: [stage],
    CreatedDate: String(version.obtainedAt / 1000),
  };
}

/** `field`: one field as the value; else what SecretString is. */
export function parameterValue(
  name: string,
  version: SecretVersion,
  field: string | undefined,
): object | undefined {
  const value =
    field === undefined ? textOf(version) : fieldBytes(secretFields(version), field)?.toString('utf8');
  if (value === undefined) return undefined;
  return {
    Parameter: {
      ARN: `arn:aws:ssm:local:${account}:parameter/${name}`,
      DataType: 'text',
      LastModifiedDate: new Date(version.obtainedAt).toISOString(),
      Name: name,
      Type: 'SecureString',
      Value: value,
      Version: shownVersion(version),
    },
    ResultMetadata: {},
  };
}

/** The SDKs want all four, and ask again five minutes before the end. Throws `not_found` without the fields. */
export function containerCredentials(
  name: string,
  entry: Entry,
  version: SecretVersion,
  wall: number,
): object {
  const { accessKeyId, secretAccessKey, sessionToken } = awsCredentials(name, secretFields(version));
  const ends = Math.min(entry.expiresAt ?? Number.POSITIVE_INFINITY, 8.64e15);
  const expiresAt =
    version.lease === undefined && entry.expiresAt === undefined ? wall + endlessCredentialsLifeMs : ends;
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    Token: sessionToken ?? '',
    Expiration: new Date(expiresAt).toISOString(),
  };
}

function contentOf(version: SecretVersion): { SecretString: string } | { SecretBinary: string } {
  const fields = secretFields(version);
  const binary = fields['secret_binary'];
  if (Object.keys(fields).length === 1 && typeof binary === 'string') return { SecretBinary: binary };
  return { SecretString: textOf(version) };
}

function textOf(version: SecretVersion): string {
  const fields = secretFields(version);
  const [name = '', ...others] = Object.keys(fields);
  const value = fields[name];
  if (others.length === 0 && wholeFields.includes(name) && typeof value === 'string') return value;
  return stringifyJson(fields);
}

function suffixOf(name: string): string {
  return createHash('sha256').update(name).digest('base64').replace(/[+/=]/g, '').slice(0, 6);
}
