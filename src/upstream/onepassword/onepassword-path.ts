// What a path of a reference means at 1Password: which item of which vault, and which field of it.
import { LatchkeyError } from '../../base/errors.ts';

export interface ItemPath {
  readonly vault: string;
  readonly item: string;
  readonly section: string | undefined;
  /** Undefined: all fields. */
  readonly field: string | undefined;
  readonly attribute: string | undefined;
}

/** With or without `op://`; parts may be escaped as in URLs, `#otp` asks for the one-time password of a field. */
export function parseItemPath(path: string): ItemPath {
  const [where = '', attribute] = path.replace(/^op:\/{1,2}/, '').split('#', 2);
  const parts = where.split('/').map(decoded);
  const [vault = '', item = '', ...rest] = parts;
  if (vault === '' || item === '' || rest.length > 2 || attribute === '') {
    throw new LatchkeyError(
      'request_invalid',
      `${path}: expected op://VAULT/ITEM, or with /FIELD or /SECTION/FIELD`,
    );
  }
  const [first, second] = rest;
  return {
    vault,
    item,
    section: second === undefined ? undefined : first,
    field: second ?? first,
    attribute,
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A percent sign that is one.
    return part;
  }
}
