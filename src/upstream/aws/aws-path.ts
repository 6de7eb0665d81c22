// What a path of a reference means at AWS: which service, which secret, which part of it.
import { LatchkeyError } from '../../base/errors.ts';
import type { Reference } from '../../store/reference.ts';

export type AwsPath =
  | { readonly service: 'secretsmanager' | 'ssm'; readonly id: string; readonly key: string | undefined }
  /** All whose names begin so: `prefix/*`. */
  | { readonly service: 'secretsmanager' | 'ssm'; readonly prefix: string }
  | { readonly service: 'sts'; readonly roleArn: string };

/** `NAME`, `secretsmanager:NAME[#key]`, `ssm:/path[#key]`, `ssm:/path/*`, `sts:ROLE_ARN`, or an ARN. */
export function parseAwsPath(reference: Pick<Reference, 'path'>): AwsPath {
  const { path } = reference;
  const [, named, rest = path] = /^(secretsmanager|ssm|sts):(.*)$/s.exec(path) ?? [];
  const service =
    named ??
    /^arn:[^:]*:(secretsmanager|ssm|iam):/.exec(path)?.[1]?.replace('iam', 'sts') ??
    'secretsmanager';
  if (rest === '') throw new LatchkeyError('request_invalid', `${path}: expected a name after the colon`);
  if (service === 'sts') return { service, roleArn: rest };
  const kind = service === 'ssm' ? 'ssm' : 'secretsmanager';
  const hash = rest.indexOf('#');
  const id = hash < 0 ? rest : rest.slice(0, hash);
  if (id.endsWith('*')) return { service: kind, prefix: id.slice(0, -1) };
  return { service: kind, id, key: hash < 0 ? undefined : rest.slice(hash + 1) };
}
