// Keys of sealed files: age identities from a key file, a systemd credential or a passphrase; sealing and opening with them.
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import {
  armor,
  Decrypter,
  Encrypter,
  generateX25519Identity,
  type Identity,
  identityToRecipient,
  type Recipient,
  Stanza,
} from 'age-encryption';
import { LatchkeyError } from '../../base/errors.ts';

export interface SealKey {
  /** For messages: where the key is from, and whom it stands for. */
  describe(): string;
  /** Opens an age file, armored or not; undefined: it is sealed for others. */
  tryOpen(sealed: Buffer): Promise<Buffer | undefined>;
  /** Seals so that the first of the key's identities can open it. */
  seal(plain: Buffer): Promise<Buffer>;
}

const label = 'age-encryption.org/v1/scrypt';
/** 64 MiB and a fifth of a second for who guesses; what others wrote may want up to 256 MiB. */
const workFactor = 16;
const largestWorkFactor = 18;
const deriveKey = promisify(scrypt) as (
  password: string,
  salt: Buffer,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;

export function isAgeFile(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 64).toString('latin1').trimStart();
  return start.startsWith('age-encryption.org/v1') || start.startsWith('-----BEGIN AGE ENCRYPTED FILE-----');
}

/** A new identity as a key file holds it. */
export async function createKeyFileText(now: Date): Promise<string> {
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  return `# created: ${now.toISOString()}\n# public key: ${recipient}\n${identity}\n`;
}

/** The key of a key file's text: one identity a line. Throws `config_invalid` that names `source`, never a line. */
export async function keyFromText(text: string, source: string): Promise<SealKey> {
  const identities = identityLines(text);
  if (identities.length === 0) {
    throw new LatchkeyError('config_invalid', `${source}: expected a line that begins with AGE-SECRET-KEY-`, {
      remedy: 'make a key file with age-keygen, or with latchkey file init',
    });
  }
  const decrypter = new Decrypter();
  const recipients: string[] = [];
  try {
    for (const identity of identities) {
      decrypter.addIdentity(identity);
      recipients.push(await identityToRecipient(identity));
    }
  } catch {
    // No cause: the library's error may quote the key.
    throw new LatchkeyError('config_invalid', `${source}: holds an age identity that is not whole`);
  }
  const [first = ''] = recipients;
  return {
    describe: () => `${recipients.join(', ')} (${source})`,
    tryOpen: (sealed) => open(decrypter, sealed, source),
    seal: (plain) => {
      const encrypter = new Encrypter();
      encrypter.addRecipient(first);
      return sealWith(encrypter, plain);
    },
  };
}

/** The lines of a key file that are keys. */
export function identityLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('AGE-SECRET-KEY-'))
    .map((line) => line.trim());
}

export function keyFromPassphrase(passphrase: string, source: string): SealKey {
  const decrypter = new Decrypter();
  decrypter.addIdentity(passphraseIdentity(passphrase));
  return {
    describe: () => `the passphrase (${source})`,
    tryOpen: (sealed) => open(decrypter, sealed, source),
    seal: (plain) => {
      const encrypter = new Encrypter();
      encrypter.addRecipient(passphraseRecipient(passphrase));
      return sealWith(encrypter, plain);
    },
  };
}

async function sealWith(encrypter: Encrypter, plain: Buffer): Promise<Buffer> {
  return Buffer.from(armor.encode(await encrypter.encrypt(plain)));
}

async function open(decrypter: Decrypter, sealed: Buffer, source: string): Promise<Buffer | undefined> {
  try {
    const isArmored = sealed.subarray(0, 64).toString('latin1').trimStart().startsWith('-----BEGIN');
    const bytes = isArmored ? armor.decode(sealed.toString('latin1')) : sealed;
    return Buffer.from(await decrypter.decrypt(bytes));
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    if (/no identity matched/i.test(String(error))) return undefined;
    // No cause: nothing of what was opened so far may travel.
    throw new LatchkeyError('config_invalid', `a sealed file is damaged: ${source} cannot open it`, {
      remedy: 'restore it from a backup',
    });
  }
}

async function wrappingKey(passphrase: string, salt: Buffer, factor: number): Promise<Buffer> {
  const cost = 2 ** factor;
  // In a thread, and in memory that is given back: the library's own would stop the agent for as long as it takes.
  return deriveKey(passphrase, Buffer.concat([Buffer.from(label), salt]), 32, {
    N: cost,
    r: 8,
    p: 1,
    maxmem: cost * 1024 * 2,
  });
}

function passphraseRecipient(passphrase: string): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(16);
      const key = await wrappingKey(passphrase, salt, workFactor);
      const cipher = createCipheriv('chacha20-poly1305', key, Buffer.alloc(12), { authTagLength: 16 });
      const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
      return [new Stanza(['scrypt', unpadded(salt), String(workFactor)], body)];
    },
  };
}

function passphraseIdentity(passphrase: string): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const [stanza] = stanzas;
      const [type, salt, factor] = stanza?.args ?? [];
      // A passphrase is never one recipient among several: who knew it could pass a file off as another's.
      if (stanza === undefined || stanzas.length !== 1 || type !== 'scrypt' || !salt || !factor) return null;
      if (!/^[1-9]\d?$/.test(factor) || Number(factor) > largestWorkFactor) {
        throw new LatchkeyError(
          'config_invalid',
          `a sealed file wants a work factor of ${Number(factor)}, at most ${largestWorkFactor} is allowed`,
          {
            remedy: 'seal it again with latchkey file rotate-key',
          },
        );
      }
      const key = await wrappingKey(passphrase, Buffer.from(salt, 'base64'), Number(factor));
      return unwrap(key, Buffer.from(stanza.body));
    },
  };
}

function unwrap(key: Buffer, body: Buffer): Uint8Array | null {
  if (body.length !== 32) return null;
  const decipher = createDecipheriv('chacha20-poly1305', key, Buffer.alloc(12), { authTagLength: 16 });
  decipher.setAuthTag(body.subarray(16));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, 16)), decipher.final()]);
  } catch {
    return null;
  }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
