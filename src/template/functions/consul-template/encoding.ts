// base64 and digests. Strings are bytes, so binary values pass through unharmed.
import { createHash, createHmac } from 'node:crypto';
import { callError, defineFunction, type FunctionTable, plain } from '../../exec/function-table.ts';
import { toBuffer } from '../../text/bytes.ts';
import { type Base64Alphabet, decodeBase64, encodeBase64 } from '../go/base64.ts';

export const encoding: FunctionTable = {
  base64Encode: defineFunction(['string'], 'string', (_context, text) => encodeBase64(text, 'standard')),
  base64Decode: defineFunction(['string'], 'string', (_context, text) =>
    decode('base64Decode', text, 'standard'),
  ),
  base64URLEncode: defineFunction(['string'], 'string', (_context, text) => encodeBase64(text, 'url')),
  base64URLDecode: defineFunction(['string'], 'string', (_context, text) =>
    decode('base64URLDecode', text, 'url'),
  ),
  sha256Hex: defineFunction(['string'], 'string', (_context, text) => digest('sha256', text)),
  md5sum: defineFunction(['string'], 'string', (_context, text) => digest('md5', text)),
  hmacSHA256Hex: defineFunction(['string', 'string'], 'string', (_context, message, key) =>
    createHmac('sha256', toBuffer(key)).update(toBuffer(message)).digest('hex'),
  ),
};

/** A digest in hexadecimal. */
export function digest(algorithm: string, text: string): string {
  return createHash(algorithm).update(toBuffer(text)).digest('hex');
}

function decode(name: string, text: string, alphabet: Base64Alphabet): string {
  const decoded = decodeBase64(text, alphabet);
  if (typeof decoded === 'string') return decoded;
  throw callError`${plain(name)}: illegal base64 data at input byte ${plain(decoded.badByte)}`;
}
