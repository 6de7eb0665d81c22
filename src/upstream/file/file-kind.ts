// Files as an upstream: the keys of `kind: file`, and what they mean resolved.
import { extname } from 'node:path';
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import type { Place } from '../../config/problems.ts';
import { oneOfKeys } from '../../config/resolve/one-of-keys.ts';
import { byteSize, choice, doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import { folderPath } from './file-path.ts';

const formats = ['dotenv', 'json', 'yaml', 'ini', 'raw', 'folder'] as const;

const key = section({
  file: doc(
    z.optional(text()),
    'A file with an age identity, as `age-keygen` and `latchkey file init` write it; 0600.',
  ),
  credential: doc(z.optional(text()), "The same as a credential of systemd: its name in the agent's unit."),
  passphrase_file: doc(z.optional(text()), 'A file with a passphrase; 0600.'),
  passphrase_credential: doc(z.optional(text()), 'A passphrase as a credential of systemd.'),
});

const fileSchema = section({
  kind: doc(z.literal('file'), 'A file with secrets, plain or sealed, or a folder with a file for each.'),
  path: doc(text(), 'The file or folder; watched.'),
  format: doc(
    z.optional(choice(formats)),
    'What is in it; default by the name: `.env` and `.env.*`, `.json`, `.yaml`, `.ini`, before `.age` or `.enc`; without an ending a folder. `raw` is one value.',
  ),
  key: doc(
    z.optional(key),
    'What opens it where it is sealed with age or encrypted by SOPS for an age recipient; one of these keys.',
  ),
  max_size: doc(z.prefault(byteSize(), '16MiB'), 'The largest file that is read.'),
});

export type FileKeyConfig =
  | { readonly kind: 'file'; readonly path: string; readonly isPassphrase: boolean }
  | { readonly kind: 'credential'; readonly name: string; readonly isPassphrase: boolean };

export interface FileUpstreamConfig {
  readonly name: string;
  readonly kind: 'file';
  readonly path: string;
  readonly format: (typeof formats)[number];
  readonly key: FileKeyConfig | undefined;
  readonly maxBytes: number;
}

type FileInput = z.output<typeof fileSchema>;

function resolveFile(item: Named<FileInput>, context: KindContext): FileUpstreamConfig {
  const { name, place, value } = item;
  const path = context.pathAt(place, value.path);
  const format = value.format ?? formatOfName(path) ?? (extname(path) === '' ? 'folder' : undefined);
  if (format === undefined) {
    context.problems.add(
      place.at('path'),
      `its format cannot be told by the name; set format: one of ${formats.join(', ')}`,
    );
  }
  return {
    name,
    kind: 'file',
    path,
    format: format ?? 'raw',
    key: value.key === undefined ? undefined : resolveKey(value.key, place.at('key'), context),
    maxBytes: value.max_size,
  };
}

function resolveKey(
  value: z.output<typeof key>,
  place: Place,
  context: KindContext,
): FileKeyConfig | undefined {
  const chosen = oneOfKeys(context.problems, place, value, [
    'file',
    'credential',
    'passphrase_file',
    'passphrase_credential',
  ]);
  const said = chosen === undefined ? undefined : value[chosen];
  if (chosen === undefined || said === undefined) return undefined;
  const isPassphrase = chosen.startsWith('passphrase');
  if (chosen.endsWith('file')) return { kind: 'file', path: context.pathAt(place, said), isPassphrase };
  if (!/^[A-Za-z0-9_.-]+$/.test(said) || said.startsWith('.')) {
    context.problems.add(place.at(chosen), "expected the name of a credential in the agent's unit");
  }
  return { kind: 'credential', name: said, isPassphrase };
}

const extensions: Readonly<Record<string, FileUpstreamConfig['format']>> = {
  '.env': 'dotenv',
  '.dotenv': 'dotenv',
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.ini': 'ini',
};

/** By the name, without the ending of a sealed file: `.env`, `.env.production`, `secrets.yaml.age`, `app.enc.json`. */
export function formatOfName(path: string): FileUpstreamConfig['format'] | undefined {
  const name = (path.split('/').at(-1) ?? '').replace(/\.(?:age|sops|enc|sealed)$/, '');
  if (/^\.env(?:\..+)?$/.test(name)) return 'dotenv';
  return extensions[extname(name).toLowerCase()];
}

export const file = {
  schema: fileSchema,
  resolve: resolveFile,
  refreshMs: 30_000,
  checkPath: (path: string, { format }: FileUpstreamConfig) =>
    format === 'folder' ? folderPath(path) : undefined,
  /** What is sealed may be read by all; folders of secrets are mounted with the modes of others' choice. */
  isForOthers: ({ path, key, format }: FileUpstreamConfig, file: string) =>
    path === file && (key !== undefined || format === 'folder'),
  load: async () => (await import('./file-source.ts')).createFileSource,
};
