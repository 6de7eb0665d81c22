// What a path of a reference means at AWS: which service, which secret, which part of it. By the names that the services allow.
import { LatchkeyError } from '../../base/errors.ts';

export type AwsPath =
  | { readonly service: 'secretsmanager' | 'ssm'; readonly id: string; readonly key: string | undefined }
  /** All whose names begin so: `prefix/*`. */
  | { readonly service: 'secretsmanager' | 'ssm'; readonly prefix: string }
  | { readonly service: 'sts'; readonly roleArn: string };

const arn = /^arn:[^:]+:(secretsmanager|ssm|iam):[^:]*:[^:]*:.+$/s;
/** Slashes divide; a parameter may end with `:VERSION` or `:LABEL`. */
const names = {
  secretsmanager: /^[\w/+=.@!-]{1,512}$/,
  ssm: /^[\w./-]{1,2048}(?::[\w.-]{1,100})?$/,
} as const;

/** `NAME`, `secretsmanager:NAME[#key]`, `ssm:/path[#key]`, `ssm:/path/*`, `sts:ROLE_ARN`, or an ARN. Throws `request_invalid`. */
export function parseAwsPath(path: string): AwsPath {
  const [, named, rest = path] = /^(secretsmanager|ssm|sts):(.*)$/s.exec(path) ?? [];
  const service = named ?? arn.exec(path)?.[1]?.replace('iam', 'sts') ?? 'secretsmanager';
  if (rest === '') throw wrong(path, 'a name after the colon');
  if (service === 'sts') {
    if (/^arn:[^:]+:iam::\d{12}:role\/.+$/s.test(rest)) return { service, roleArn: rest };
    throw wrong(path, 'the ARN of a role, as sts:arn:aws:iam::123456789012:role/NAME');
  }
  const kind = service === 'ssm' ? 'ssm' : 'secretsmanager';
  const hash = rest.indexOf('#');
  const id = hash < 0 ? rest : rest.slice(0, hash);
  if (hash === rest.length - 1) throw wrong(path, 'a field after #');
  const prefix = id.endsWith('*') ? id.slice(0, -1) : undefined;
  const isName = arn.exec(id)?.[1] === kind || names[kind].test(prefix ?? id) || prefix === '';
  if (!isName)
    throw wrong(
      path,
      kind === 'ssm'
        ? 'ssm:/NAME, of letters, digits, ".", "-", "_" and "/"'
        : 'secretsmanager:NAME, ssm:/NAME, sts:ROLE_ARN or an ARN',
    );
  if (prefix !== undefined) return { service: kind, prefix };
  return { service: kind, id, key: hash < 0 ? undefined : rest.slice(hash + 1) };
}

function wrong(path: string, expected: string): LatchkeyError {
  return new LatchkeyError('request_invalid', `${path}: expected ${expected}`);
}
