// sprig's cryptography as far as its results are determined by its arguments. Keys and certificates are refused: each execution would
// make new ones, and leave the old ones with whoever trusts them.
import { createDecipheriv, createHmac, scryptSync } from 'node:crypto';
import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
} from '../../exec/function-table.ts';
import { fromBuffer, toBuffer } from '../../text/bytes.ts';
import { decodeBase64 } from '../go/base64.ts';

/** What one derivation costs, in steps: it takes a good part of a second. */
const derivationSteps = 200_000;
const makers =
  'buildCustomCert genCA genCAWithKey genPrivateKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey';

export const sprigCrypto: FunctionTable = {
  sprig_derivePassword: defineFunction(
    ['uint32', 'string', 'string', 'string', 'string'],
    'string',
    derivePassword,
  ),
  sprig_decryptAES: defineFunction(['string', 'string'], 'string', (_context, password, text) =>
    decryptAes(password, text),
  ),
  ...Object.fromEntries(makers.split(' ').map((name) => [`sprig_${name}`, refused()])),
};

function refused() {
  return defineFunction(['...any'], 'any', () => {
    throw callError`would make another key or certificate at each execution; it is not supported: take a certificate from pkiCert`;
  });
}

const passwordForms: Readonly<Record<string, readonly string[]>> = {
  maximum: ['anoxxxxxxxxxxxxxxxxx', 'axxxxxxxxxxxxxxxxxno'],
  long: (
    'CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno CvcvnoCvccCvcv ' +
    'CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno CvccnoCvccCvcv CvccCvccnoCvcv ' +
    'CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno'
  ).split(' '),
  medium: ['CvcnoCvc', 'CvcCvcno'],
  short: ['Cvcn'],
  basic: ['aaanaaan', 'aannaaan', 'aaannaaa'],
  pin: ['nnnn'],
};
const letters = 'AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz';
const characters: Readonly<Record<string, string>> = {
  V: 'AEIOU',
  C: 'BCDFGHJKLMNPQRSTVWXYZ',
  v: 'aeiou',
  c: 'bcdfghjklmnpqrstvwxyz',
  A: 'AEIOUBCDFGHJKLMNPQRSTVWXYZ',
  a: letters,
  n: '0123456789',
  o: "@&%?,=[]_:-+*$#!'^~;()/.",
  x: `${letters}0123456789!@#$%^&*()`,
};

/** The Master Password algorithm, version 3. */
function derivePassword(
  context: CallContext,
  counter: bigint,
  type: string,
  password: string,
  user: string,
  site: string,
): string {
  const forms = Object.hasOwn(passwordForms, type) ? passwordForms[type] : undefined;
  if (forms === undefined) return `cannot find password template ${type}`;
  context.spend(derivationSteps);
  const scope = Buffer.from('com.lyndir.masterpassword');
  const salt = Buffer.concat([scope, uint32(user.length), toBuffer(user)]);
  const key = scryptSync(toBuffer(password), salt, 64, { N: 32768, r: 8, p: 2, maxmem: 64 * 1024 * 1024 });
  const message = Buffer.concat([scope, uint32(site.length), toBuffer(site), uint32(Number(counter))]);
  const seed = createHmac('sha256', key).update(message).digest();
  const form = forms[(seed[0] ?? 0) % forms.length] ?? '';
  return [...form]
    .map((wanted, at) => {
      const choice = characters[wanted] ?? '';
      return choice.charAt((seed[at + 1] ?? 0) % choice.length);
    })
    .join('');
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const blockBytes = 16;

/** AES-256 in CBC mode, the key padded with zeros, the first block of the input as initialization vector. */
function decryptAes(password: string, text: string): string {
  if (text === '') return '';
  const decoded = decodeBase64(text, 'standard');
  if (typeof decoded !== 'string')
    throw callError`illegal base64 data at input byte ${plain(decoded.badByte)}`;
  const input = toBuffer(decoded);
  if (input.length < blockBytes) {
    throw callError`runtime error: slice bounds out of range [:16] with capacity ${plain(input.length)}`;
  }
  const body = input.subarray(blockBytes);
  if (body.length % blockBytes !== 0) throw callError`crypto/cipher: input not full blocks`;
  const key = Buffer.alloc(32);
  toBuffer(password).copy(key);
  const cipher = createDecipheriv('aes-256-cbc', key, input.subarray(0, blockBytes)).setAutoPadding(false);
  const plainBytes = Buffer.concat([cipher.update(body), cipher.final()]);
  const padding = plainBytes.at(-1);
  if (padding === undefined) throw callError`runtime error: index out of range [-1]`;
  if (padding > plainBytes.length) {
    throw callError`runtime error: slice bounds out of range [:${plain(plainBytes.length - padding)}]`;
  }
  return fromBuffer(plainBytes.subarray(0, plainBytes.length - padding));
}
