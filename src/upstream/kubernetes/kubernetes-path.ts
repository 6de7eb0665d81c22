// What a path of a reference means in a Kubernetes cluster.
import { LatchkeyError } from '../../base/errors.ts';

export interface SecretPath {
  readonly namespace: string;
  readonly name: string;
  readonly key: string | undefined;
}

/** `NAME`, `NAMESPACE/NAME`, either with `#KEY`; `namespace` is of paths without one. Throws `request_invalid`. */
export function parseSecretPath(text: string, namespace: string): SecretPath {
  const [, where = '', key] = /^([^#]*)(?:#(.*))?$/s.exec(text) ?? [];
  if (key === '') throw new LatchkeyError('request_invalid', `${text}: expected a key after #`);
  const parts = where.split('/');
  const [first = '', second] = parts;
  const path =
    second === undefined ? { namespace, name: first, key } : { namespace: first, name: second, key };
  if (
    parts.length <= 2 &&
    [path.namespace, path.name].every((part) => /^[a-z0-9][a-z0-9.-]{0,252}$/.test(part))
  )
    return path;
  throw new LatchkeyError(
    'request_invalid',
    `${text}: expected NAME or NAMESPACE/NAME as Kubernetes allows them`,
  );
}
