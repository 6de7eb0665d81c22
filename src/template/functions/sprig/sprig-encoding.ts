// sprig's encodings and digests. A decoding that fails gives the error's text for its result.

import { defineFunction, type FunctionTable } from '../../exec/function-table.ts';
import { toBuffer } from '../../text/bytes.ts';
import { digest } from '../consul-template/encoding.ts';
import { decodeBase32, decodeBase64, encodeBase32, encodeBase64 } from '../go/base64.ts';

export const sprigEncoding: FunctionTable = {
  sprig_b64enc: defineFunction(['string'], 'string', (_context, text) => encodeBase64(text, 'standard')),
  sprig_b64dec: defineFunction(['string'], 'string', (_context, text) => {
    const decoded = decodeBase64(text, 'standard');
    return typeof decoded === 'string' ? decoded : `illegal base64 data at input byte ${decoded.badByte}`;
  }),
  sprig_b32enc: defineFunction(['string'], 'string', (_context, text) => encodeBase32(text)),
  sprig_b32dec: defineFunction(['string'], 'string', (_context, text) => {
    const decoded = decodeBase32(text);
    return typeof decoded === 'string' ? decoded : `illegal base32 data at input byte ${decoded.badByte}`;
  }),
  sprig_sha1sum: defineFunction(['string'], 'string', (_context, text) => digest('sha1', text)),
  sprig_sha256sum: defineFunction(['string'], 'string', (_context, text) => digest('sha256', text)),
  sprig_sha512sum: defineFunction(['string'], 'string', (_context, text) => digest('sha512', text)),
  sprig_adler32sum: defineFunction(['string'], 'string', (_context, text) => adler32(toBuffer(text))),
};

function adler32(bytes: Buffer): string {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return String(b * 65536 + a);
}
