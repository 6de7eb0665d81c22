// Opens documents that SOPS has encrypted for an age recipient: every value, and the code over all of them that shows
// whether one was exchanged. Format: https://getsops.io/docs/#encryption-protocol
import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import { LatchkeyError } from '../../base/errors.ts';
import { JsonNumber } from '../../base/text/json.ts';
import type { DocumentMap, DocumentNode } from './document.ts';
import { unquoteDotenv } from './dotenv.ts';
import type { SealKey } from './seal-key.ts';

/** Written before the values where only those that are encrypted count: a file cannot pass from one mode to the other. */
const encryptedOnlyStart = createHash('sha256').update('sops').digest();
const encrypted = /^ENC\[AES256_GCM,data:(.*),iv:(.+),tag:(.+),type:(.+)\]$/s;
const otherKeys = ['kms', 'gcp_kms', 'azure_kv', 'hc_vault', 'pgp'];

/** What SOPS keeps beside the values: a map `sops`, or in dotenv files names that begin with `sops_`. */
export function findSops(document: DocumentMap): DocumentMap | undefined {
  const nested = document.get('sops');
  if (nested instanceof Map && nested.has('mac')) return unflatten(nested);
  if (!document.has('sops_mac')) return undefined;
  const own = [...document].filter(([name]) => name.startsWith('sops_'));
  return unflatten(new Map(own.map(([name, value]) => [name.slice('sops_'.length), value])));
}

/** The values, opened. Throws `config_invalid` naming the file: no fitting key, a changed value, a form that is unknown. */
export async function openSops(
  document: DocumentMap,
  metadata: DocumentMap,
  key: SealKey,
  file: string,
): Promise<DocumentMap> {
  const dataKey = await openDataKey(metadata, key, file);
  const onlyEncrypted = String(metadata.get('mac_only_encrypted') ?? 'false') === 'true';
  const hash = createHash('sha512');
  if (onlyEncrypted) hash.update(encryptedOnlyStart);

  function open(node: DocumentNode, path: readonly string[]): DocumentNode {
    if (Array.isArray(node)) return node.map((item) => open(item, path));
    if (node instanceof Map) {
      return new Map([...node].map(([name, value]) => [name, open(value, [...path, name])]));
    }
    const sealed = typeof node === 'string' ? encrypted.exec(node) : null;
    if (sealed === null) {
      if (node !== null && !onlyEncrypted) hash.update(macText(node));
      return node;
    }
    const bytes = decipher(sealed, dataKey, `${path.join(':')}:`, `${file}: ${path.join('/')}`);
    hash.update(bytes);
    return typed(bytes, sealed[4] ?? '', file);
  }

  const isFlat = document.has('sops_mac');
  const values = [...document].filter(([name]) => name !== 'sops' && !(isFlat && name.startsWith('sops_')));
  const opened = open(new Map(values), []) as DocumentMap;
  checkMac(metadata, dataKey, hash.digest('hex').toUpperCase(), file);
  return isFlat ? unquoted(opened) : opened;
}

/** SOPS leaves the quotes of a dotenv file's values in the values. */
function unquoted(document: DocumentMap): DocumentMap {
  return new Map(
    [...document].map(([name, value]) => [name, typeof value === 'string' ? unquoteDotenv(value) : value]),
  );
}

async function openDataKey(metadata: DocumentMap, key: SealKey, file: string): Promise<Buffer> {
  if (metadata.get('shamir_threshold') !== undefined || metadata.has('key_groups')) {
    throw new LatchkeyError('config_invalid', `${file}: its key is divided among key groups`, {
      remedy: 'encrypt it with one group of age recipients',
    });
  }
  const recipients = metadata.get('age');
  const sealed = (Array.isArray(recipients) ? recipients : [])
    .map((one) => (one instanceof Map ? one.get('enc') : undefined))
    .filter((enc) => typeof enc === 'string');
  if (sealed.length === 0) {
    const others = otherKeys.filter((name) => metadata.has(name)).join(', ') || 'nobody';
    throw new LatchkeyError('config_invalid', `${file}: encrypted for ${others}, expected an age recipient`, {
      remedy: "add the agent's recipient: sops rotate --add-age",
    });
  }
  for (const armored of sealed) {
    const dataKey = await key.tryOpen(Buffer.from(armored));
    if (dataKey !== undefined) return dataKey;
  }
  throw new LatchkeyError(
    'config_invalid',
    `${file}: encrypted for other age recipients than ${key.describe()}`,
    {
      remedy: "add the agent's recipient: sops rotate --add-age",
    },
  );
}

function decipher(match: RegExpExecArray, key: Buffer, additional: string, what: string): Buffer {
  const [data, iv, tag] = match.slice(1, 4).map((part) => Buffer.from(part, 'base64'));
  try {
    const cipher = createDecipheriv('aes-256-gcm', key, iv ?? Buffer.alloc(0), { authTagLength: 16 });
    cipher.setAAD(Buffer.from(additional));
    cipher.setAuthTag(tag ?? Buffer.alloc(0));
    return Buffer.concat([cipher.update(data ?? Buffer.alloc(0)), cipher.final()]);
  } catch {
    throw new LatchkeyError('config_invalid', `${what}: the value was changed after it was encrypted`);
  }
}

function typed(bytes: Buffer, type: string, file: string): DocumentNode {
  const text = bytes.toString('utf8');
  switch (type) {
    case 'str':
    case 'bytes':
    case 'time':
    case 'comment':
      return text;
    case 'int':
    case 'float':
      return new JsonNumber(text);
    case 'bool':
      return /^true$/i.test(text);
    default:
      throw new LatchkeyError('config_invalid', `${file}: SOPS type ${type} is unknown`, {
        remedy: 'update latchkey',
      });
  }
}

/** As SOPS writes a value that it did not encrypt. */
function macText(node: Exclude<DocumentNode, null>): string {
  if (typeof node === 'boolean') return node ? 'True' : 'False';
  if (!(node instanceof JsonNumber)) return String(node);
  if (/^-?\d+$/.test(node.text)) return BigInt(node.text).toString();
  return plainDecimal(Number(node.text));
}

/** The shortest digits that give this number, never with an exponent. */
function plainDecimal(value: number): string {
  const text = String(value);
  const [, sign = '', whole = '', fraction = '', power] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]\d+))?$/.exec(text) ?? [];
  if (power === undefined) return text;
  const digits = `${whole}${fraction}`;
  const point = whole.length + Number(power);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

function checkMac(metadata: DocumentMap, key: Buffer, computed: string, file: string): void {
  const [mac, modified] = [metadata.get('mac'), metadata.get('lastmodified')];
  const sealed = typeof mac === 'string' ? encrypted.exec(mac) : null;
  if (sealed === null || typeof modified !== 'string') {
    throw new LatchkeyError('config_invalid', `${file}: expected sops.mac and sops.lastmodified`);
  }
  const told = decipher(sealed, key, modified, `${file}: sops.mac`);
  const own = Buffer.from(computed);
  if (told.length === own.length && timingSafeEqual(told, own)) return;
  throw new LatchkeyError(
    'config_invalid',
    `${file}: a value was added, removed or changed after it was encrypted`,
    {
      remedy: 'restore the file, or open it by sops --ignore-mac and look',
    },
  );
}

/** `age__list_0__map_enc` is `age: [{enc}]`; names without these marks stay as they are. */
function unflatten(flat: DocumentMap): DocumentMap {
  const whole: DocumentMap = new Map();
  const recipients: DocumentMap[] = [];
  for (const [name, value] of flat) {
    const [, index, field = ''] = /^age__list_(\d+)__map_(.+)$/.exec(name) ?? [];
    const text = typeof value === 'string' ? value.replaceAll('\\n', '\n') : value;
    if (index === undefined || Number(index) > 1000) {
      whole.set(name.replace(/__(?:list|map)_.*$/s, ''), value);
      continue;
    }
    recipients[Number(index)] ??= new Map();
    recipients[Number(index)]?.set(field, text);
  }
  if (recipients.length > 0)
    whole.set(
      'age',
      recipients.filter((one) => one !== undefined),
    );
  return whole;
}
