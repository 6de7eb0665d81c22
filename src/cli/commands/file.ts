// `latchkey file init|set|edit|import|list|rotate-key`: a sealed file as a small vault, without a server.

import { basename, resolve } from 'node:path';
import {
  createSealedFile,
  editSealedFile,
  importIntoSealedFile,
  listSealedFile,
  rotateSealedFileKey,
  type SealedFile,
  type SealedFileKey,
  setInSealedFile,
} from '../../agent/offline/sealed-file.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { counted } from '../../base/text/counted.ts';
import { print, printJson, say } from '../output.ts';
import { askHidden, confirm, readValue } from '../sealed/ask-hidden.ts';
import { editInMemory } from '../sealed/edit-in-memory.ts';

interface FileOptions {
  readonly action: 'init' | 'set' | 'edit' | 'import' | 'list' | 'rotate-key';
  readonly file: string;
  /** The secret to set, or the file to import. */
  readonly what: string | undefined;
  readonly keyFile: string | undefined;
  readonly credential: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly passphrase: boolean;
  readonly newKeyFile: string | undefined;
  readonly newPassphrase: boolean;
  readonly owner: string | undefined;
  readonly at: string | undefined;
  readonly remove: boolean;
  readonly json: boolean;
}

const actions: { readonly [A in FileOptions['action']]: (options: FileOptions) => Promise<string> } = {
  init,
  set,
  edit,
  import: takeOver,
  list,
  'rotate-key': rotateKey,
};

/** What was done goes to stderr, what programs read to stdout. */
export async function runFile(options: FileOptions): Promise<number> {
  const told = await actions[options.action](options);
  if (told !== '') for (const line of told.split('\n')) say(line);
  return 0;
}

async function init(options: FileOptions): Promise<string> {
  if (options.what !== undefined) throw tooMany(options);
  const file = await sealedFile(options, true);
  const { key, madeKey } = await createSealedFile(file, options.owner);
  const { path, key: where } = file;
  const keyLine =
    where.kind === 'file'
      ? `{ ${where.isPassphrase ? 'passphrase_file' : 'file'}: ${where.path} }`
      : '{ passphrase_file: … }';
  return [
    `${path} is sealed for ${key}`,
    ...(madeKey ? ['keep a copy of the key elsewhere: without it the file cannot be opened'] : []),
    'in latchkey.yaml:',
    'upstreams:',
    `  local: { kind: file, path: ${path}, key: ${keyLine} }`,
  ].join('\n');
}

async function set(options: FileOptions): Promise<string> {
  const { what } = options;
  if (what === undefined)
    throw new LatchkeyError('usage', 'file set: expected FILE NAME', {
      remedy: 'the value is read from standard input',
    });
  const file = await sealedFile(options);
  await setInSealedFile(file, what.replace(/^\/+|\/+$/g, ''), await readValue(`value of ${what}`));
  return `${what} is set in ${file.path}`;
}

async function edit(options: FileOptions): Promise<string> {
  if (options.what !== undefined) throw tooMany(options);
  const file = await sealedFile(options);
  const isChanged = await editSealedFile(file, (text, format, check) =>
    editInMemory({
      text,
      fileName: format === 'dotenv' ? 'secrets.env' : `secrets.${format}`,
      env: process.env,
      check,
      again: (problem) => confirm(`${problem}; edit again?`),
    }),
  );
  return isChanged ? `${file.path} is changed` : 'nothing was changed';
}

async function takeOver(options: FileOptions): Promise<string> {
  const { what, at, remove } = options;
  if (what === undefined) throw new LatchkeyError('usage', 'file import: expected FILE SOURCE');
  const file = await sealedFile(options);
  const paths = await importIntoSealedFile(file, what, { at, remove });
  const rest = remove
    ? `; ${basename(what)} is overwritten and removed`
    : `; ${what} is still there, in plain: remove it, or use --remove`;
  return `${counted(paths.length, 'value')} taken over into ${file.path}${rest}`;
}

async function list(options: FileOptions): Promise<string> {
  if (options.what !== undefined) throw tooMany(options);
  const paths = await listSealedFile(await sealedFile(options));
  if (options.json) printJson(paths);
  else for (const path of paths) print(path);
  return '';
}

async function rotateKey(options: FileOptions): Promise<string> {
  if (options.what !== undefined) throw tooMany(options);
  const file = await sealedFile(options);
  const next: SealedFileKey | undefined =
    options.newKeyFile !== undefined
      ? { kind: 'file', path: options.newKeyFile, isPassphrase: false }
      : options.newPassphrase
        ? { kind: 'typed', passphrase: await askTwice('new passphrase') }
        : undefined;
  return `${file.path} is sealed for ${await rotateSealedFileKey(file, next)}`;
}

async function sealedFile(options: FileOptions, isNew = false): Promise<SealedFile> {
  return { path: resolve(options.file), key: await keyOf(options, isNew), env: process.env };
}

async function keyOf(options: FileOptions, isNew: boolean): Promise<SealedFileKey> {
  const { file, keyFile, credential, passphraseFile } = options;
  if (options.passphrase) {
    return {
      kind: 'typed',
      passphrase: isNew ? await askTwice('passphrase') : await askHidden('passphrase'),
    };
  }
  if (credential !== undefined) return { kind: 'credential', name: credential, isPassphrase: false };
  if (passphraseFile !== undefined)
    return { kind: 'file', path: resolve(passphraseFile), isPassphrase: true };
  return { kind: 'file', path: resolve(keyFile ?? `${file}.key`), isPassphrase: false };
}

async function askTwice(prompt: string): Promise<string> {
  const first = await askHidden(prompt);
  if (first === '') throw new LatchkeyError('usage', 'the passphrase is empty');
  if (first === (await askHidden(`${prompt} again`))) return first;
  throw new LatchkeyError('usage', 'the two passphrases differ');
}

function tooMany({ action, what }: FileOptions): LatchkeyError {
  return new LatchkeyError('usage', `file ${action}: expected FILE alone, got ${JSON.stringify(what)} too`);
}
