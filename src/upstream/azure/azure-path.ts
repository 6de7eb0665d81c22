// What a path of a reference means at Azure Key Vault.
import { LatchkeyError } from '../../base/errors.ts';

interface AzurePath {
  readonly name: string;
  /** Undefined: the newest. */
  readonly version: string | undefined;
  readonly key: string | undefined;
}

/** `NAME`, `NAME/VERSION`, either with `#KEY` of a JSON value. Throws `request_invalid`. */
export function parseAzurePath(path: string, parameters: Readonly<Record<string, string>> = {}): AzurePath {
  const [, name = '', version, key] =
    /^([0-9A-Za-z-]{1,127})(?:\/([0-9A-Za-z]+))?(?:#(.*))?$/s.exec(path) ?? [];
  if (key === '') throw new LatchkeyError('request_invalid', `${path}: expected a field after #`);
  if (name !== '') return { name, version: parameters['version'] ?? version, key };
  throw new LatchkeyError('request_invalid', `${path}: expected a name of letters, digits and dashes`);
}
