// A sealed file as a small vault: made, read, changed and given another key, always whole and never plain on a disk.
import { errorCode, LatchkeyError } from '../../base/errors.ts';
import { PathFault, pathErrorText } from '../../base/paths/path-trust.ts';
import { wipeFile } from '../../base/paths/remove-file.ts';
import type { Environment } from '../../base/surroundings.ts';
import { findUser } from '../../base/system/accounts.ts';
import { leafPaths } from '../../upstream/file/document.ts';
import {
  type DocumentFormat,
  parseFormat,
  setInFormat,
  toPlainText,
} from '../../upstream/file/file-format.ts';
import { type FileKeyConfig, formatOfName } from '../../upstream/file/file-kind.ts';
import { loadSealKey } from '../../upstream/file/load-seal-key.ts';
import { readSecretFile, type SecretFile } from '../../upstream/file/read-secret-file.ts';
import { type NewFile, replaceSealedFile } from '../../upstream/file/replace-sealed-file.ts';
import {
  createKeyFileText,
  identityLines,
  isAgeFile,
  keyFromPassphrase,
  keyFromText,
  type SealKey,
} from '../../upstream/file/seal-key.ts';

/** Where the key is; `typed`: a passphrase that a person has given. */
export type SealedFileKey = FileKeyConfig | { readonly kind: 'typed'; readonly passphrase: string };

export interface SealedFile {
  readonly path: string;
  readonly key: SealedFileKey;
  readonly env: Environment;
}

interface OpenedFile {
  readonly key: SealKey;
  readonly format: DocumentFormat;
  readonly text: string;
  readonly identity: string;
}

const maxBytes = 16 * 2 ** 20;
const triesAgainstOthers = 50;

/** Makes the file, and its key file where there is none. Resolves to what opens it, for people. */
export async function createSealedFile(
  file: SealedFile,
  owner: string | undefined,
): Promise<{ key: string; madeKey: boolean }> {
  formatOf(file.path);
  if (await exists(file.path, 'secrets')) {
    throw new LatchkeyError('usage', `${file.path} is there already`, {
      remedy: 'change it with latchkey file set or edit',
    });
  }
  const ids = owner === undefined ? {} : { owner: userOf(owner) };
  const { key } = file;
  const madeKey = key.kind === 'file' && !key.isPassphrase && !(await exists(key.path, 'key'));
  if (madeKey) await makeKeyFile(key.path, ids);
  const sealKey = await loadKey(file);
  await replaceSealedFile({ path: file.path, content: await sealKey.seal(Buffer.alloc(0)), ...ids });
  return { key: sealKey.describe(), madeKey };
}

/** Changes the value at `path`, or adds it. */
export async function setInSealedFile(file: SealedFile, path: string, value: string): Promise<void> {
  await change(file, (opened) => setInFormat(opened.format, opened.text, path, value, file.path));
}

/** The paths of the values, none of the values. */
export async function listSealedFile(file: SealedFile): Promise<string[]> {
  const { format, text } = await open(file);
  return leafPaths(parseFormat(format, Buffer.from(text), file.path));
}

/**
 * Takes over all values of a plain file, below `at` where that is said. With `remove` the plain file is overwritten and
 * removed once the sealed one is safe. Resolves to the paths that were set.
 */
export async function importIntoSealedFile(
  file: SealedFile,
  source: string,
  options: { at: string | undefined; remove: boolean },
): Promise<string[]> {
  const format = formatOf(source);
  const { bytes } = await read(source);
  const values = toPlainText(parseFormat(format, bytes, source), source);
  const paths = values.map(([path]) => (options.at === undefined ? path : `${options.at}/${path}`));
  await change(file, (opened) => {
    let { text } = opened;
    for (const [index, [, value]] of values.entries()) {
      text = setInFormat(opened.format, text, paths[index] ?? '', value, file.path);
    }
    return text;
  });
  if (options.remove) await wipe(source, bytes);
  return paths;
}

async function wipe(source: string, bytes: Buffer): Promise<void> {
  try {
    await wipeFile(source, bytes);
  } catch (error) {
    const why = `the values are taken over, and ${source} is left: ${pathErrorText(error)}`;
    const remedy = error instanceof PathFault ? error.remedy : 'remove it by hand';
    throw new LatchkeyError('file_failed', why, { cause: error, remedy });
  }
}

/** `edit` gets the plain text and gives the new one; false: nothing was changed. */
export async function editSealedFile(
  file: SealedFile,
  edit: (text: string, format: DocumentFormat, check: (text: string) => void) => Promise<string>,
): Promise<boolean> {
  const opened = await open(file);
  const check = (text: string) => void parseFormat(opened.format, Buffer.from(text), file.path);
  const text = await edit(opened.text, opened.format, check);
  if (text === opened.text) return false;
  check(text);
  await write(file, opened, text);
  return true;
}

/**
 * Seals with a new key. A key file holds both keys until the file is sealed with the new one: killed at any moment, it opens
 * what is there. A passphrase needs `next`.
 */
export async function rotateSealedFileKey(
  file: SealedFile,
  next: SealedFileKey | undefined,
): Promise<string> {
  const { key } = file;
  if (next !== undefined) {
    const newKey = next.kind === 'file' ? await keyOfFile(next.path) : await loadKey({ ...file, key: next });
    const opened = await open(file);
    await write(file, { ...opened, key: newKey }, opened.text);
    return newKey.describe();
  }
  if (key.kind !== 'file' || key.isPassphrase) {
    throw new LatchkeyError('usage', 'rotate-key: a key that is not a key file cannot be replaced here', {
      remedy: 'name the new one with --new-passphrase-file or --new-key-file',
    });
  }
  const before = await read(key.path, 'key');
  const made = await createKeyFileText(new Date());
  const both = Buffer.from(`${made}${before.bytes.toString('utf8')}`);
  await replaceSealedFile({ path: key.path, content: both });
  const opened = await open(file);
  await write(file, opened, opened.text);
  await replaceSealedFile({ path: key.path, content: Buffer.from(made) });
  return opened.key.describe().replace(/^(\S+?),.* \(/, '$1 (');
}

/** Made there where there is none. */
async function keyOfFile(path: string): Promise<SealKey> {
  if (!(await exists(path, 'key'))) await makeKeyFile(path);
  const { bytes } = await read(path, 'key');
  return await keyFromText(identityLines(bytes.toString('utf8')).join('\n'), path);
}

async function makeKeyFile(path: string, ids: Pick<NewFile, 'owner'> = {}): Promise<void> {
  await replaceSealedFile({ path, content: Buffer.from(await createKeyFileText(new Date())), ...ids });
}

async function change(file: SealedFile, make: (opened: OpenedFile) => string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const opened = await open(file);
    try {
      await write(file, opened, make(opened));
      return;
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile) || attempt >= triesAgainstOthers) throw error;
    }
  }
}

class ChangedMeanwhile extends LatchkeyError {}

async function write(file: SealedFile, opened: OpenedFile, text: string): Promise<void> {
  const content = await opened.key.seal(Buffer.from(text));
  await replaceSealedFile({
    path: file.path,
    content,
    async confirm() {
      if ((await read(file.path)).identity === opened.identity) return;
      throw new ChangedMeanwhile('file_failed', `${file.path}: somebody else has changed it meanwhile`, {
        remedy: 'try again',
      });
    },
  });
}

async function open(file: SealedFile): Promise<OpenedFile> {
  const format = formatOf(file.path);
  const { bytes, identity } = await read(file.path);
  if (!isAgeFile(bytes)) {
    throw new LatchkeyError('usage', `${file.path}: not a sealed file`, {
      remedy:
        'make one with latchkey file init, and take this one over with latchkey file import; what SOPS encrypted is changed with sops',
    });
  }
  const key = await loadKey(file);
  const plain = await key.tryOpen(bytes);
  if (plain === undefined) {
    throw new LatchkeyError('denied', `${file.path}: sealed for another key than ${key.describe()}`, {
      remedy: 'name its key with --key-file or --passphrase-file',
    });
  }
  return { key, format, text: plain.toString('utf8'), identity };
}

async function loadKey({ key, env }: SealedFile): Promise<SealKey> {
  return key.kind === 'typed'
    ? keyFromPassphrase(key.passphrase, 'typed')
    : await loadSealKey(key, env, { owner: 'any' });
}

function read(path: string, holds: 'secrets' | 'key' = 'secrets'): Promise<SecretFile> {
  return readSecretFile(path, { holds, maxBytes, owner: 'any' });
}

async function exists(path: string, holds: 'secrets' | 'key'): Promise<boolean> {
  try {
    await read(path, holds);
    return true;
  } catch (error) {
    if (errorCode(error) === 'not_found') return false;
    throw error;
  }
}

function formatOf(path: string): DocumentFormat {
  const format = formatOfName(path);
  if (format !== undefined && format !== 'folder' && format !== 'raw') return format;
  throw new LatchkeyError('usage', `${path}: its name does not tell its format`, {
    remedy: 'call it .env.age, .json.age or .yaml.age',
  });
}

function userOf(name: string): { uid: number; gid: number } {
  const user = findUser(name);
  if (user !== undefined) return user;
  throw new LatchkeyError('usage', `--owner: there is no user ${JSON.stringify(name)} on this host`, {
    remedy: 'name the user that the agent runs as, or leave it out where that is root',
  });
}
