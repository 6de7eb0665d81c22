// The signature of Oracle Cloud's API over the headers of a request (draft-cavage-http-signatures-08, version 1).
import { createHash, type KeyObject, sign } from 'node:crypto';

export interface OciKey {
  /** `TENANCY/USER/FINGERPRINT`, or `ST$` and a security token. */
  readonly id: string;
  readonly key: KeyObject;
}

/** The header `Authorization` over `headers`, in their order; `(request-target)` is one of them. */
export function ociAuthorization({ id, key }: OciKey, headers: Readonly<Record<string, string>>): string {
  const text = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
  const signature = sign('sha256', Buffer.from(text, 'utf8'), key).toString('base64');
  const names = Object.keys(headers).join(' ');
  return `Signature version="1",headers="${names}",keyId="${id}",algorithm="rsa-sha256",signature="${signature}"`;
}

/** What is signed of a body beside the rest. */
export function ociBodyHeaders(body: string): Record<string, string> {
  return {
    'content-length': String(Buffer.byteLength(body)),
    'content-type': 'application/json',
    'x-content-sha256': createHash('sha256').update(body).digest('base64'),
  };
}
