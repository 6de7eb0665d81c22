// A kind of upstream is a folder and a line: a copy of the tree is given one that it has never heard of, and serves it.
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import * as list from '../../src/upstream/kind-list.ts';
import { testFolder } from '../support/test-folder.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

const declaration = `// A word that is told backwards: the keys of \`kind: mirror\`.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';

const mirrorSchema = section({
  kind: doc(z.literal('mirror'), 'A mirror.'),
  word: doc(z.prefault(text(), 'drawer'), 'What it shows backwards.'),
});

export interface MirrorConfig {
  readonly name: string;
  readonly kind: 'mirror';
  readonly word: string;
}

export const mirror = {
  schema: mirrorSchema,
  resolve: ({ name, value }: Named<z.output<typeof mirrorSchema>>): MirrorConfig => ({
    name,
    kind: 'mirror',
    word: value.word,
  }),
  refreshMs: 1234,
  load: async () => (await import('./mirror-source.ts')).createMirrorSource,
};
`;
const source = `// A word that is told backwards, whatever is asked for.
import { documentAnswer } from '../kind/kind-answer.ts';
import { createKindSource } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import type { MirrorConfig } from './mirror-kind.ts';

export function createMirrorSource(options: SourceOptions<MirrorConfig>): SecretSource {
  const shown = [...options.config.word].reverse().join('');
  return createKindSource(options, () => ({
    address: 'mirror',
    read: async () => documentAnswer(Buffer.from(shown), { versionId: shown }),
    close: async () => undefined,
  }));
}
`;

t.test('a kind that nobody knows is served after a folder and a line', async (t) => {
  const folder = testFolder(t);
  cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(folder, name));
  // Its paths are those of its own folder.
  const { exclude } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { exclude: string[] };
  const types = { extends: join(root, 'tsconfig.json'), include: ['src'], exclude };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(types));
  const kinds = join(folder, 'src/upstream');
  const config = join(folder, 'latchkey.yaml');
  const destination = join(folder, 'word');
  const upstream = { kind: 'mirror', word: 'stressed' };
  writeFileSync(
    config,
    JSON.stringify({
      upstreams: { glass: upstream },
      secrets: { word: { path: 'any' } },
      files: [{ contents: '{{ field "word" "value" }}', destination }],
      state_dir: join(folder, 'state'),
    }),
    { mode: 0o600 },
  );
  const latchkey = (...args: string[]) =>
    run(process.execPath, ['--disable-sigusr1', join(folder, 'src/main.ts'), ...args, '--config', config], {
      env: { PATH: process.env['PATH'] ?? '' },
    });
  const before = await latchkey('validate').catch((error: { stderr: string }) => error);
  t.match(before.stderr, /upstreams\.glass\.kind: .*mirror/);

  mkdirSync(join(kinds, 'mirror'));
  writeFileSync(join(kinds, 'mirror/mirror-kind.ts'), declaration);
  writeFileSync(join(kinds, 'mirror/mirror-source.ts'), source);
  appendFileSync(join(kinds, 'kind-list.ts'), "export { mirror } from './mirror/mirror-kind.ts';\n");
  // The compiler itself: as a script it would get the hooks of this test's runner.
  const { default: compiler } = await import(join(root, 'node_modules/typescript/lib/getExePath.js'));
  await run(compiler(), ['--noEmit', '-p', folder]);
  await latchkey('validate');
  await latchkey('render', '--once');
  t.equal(readFileSync(destination, 'utf8'), 'desserts');
});

t.test('each kind has its keys under its own name, and a guide that shows it', (t) => {
  const guides = join(root, 'docs/guides/upstreams');
  const texts = readdirSync(guides).map((name) => readFileSync(join(guides, name), 'utf8'));
  for (const [name, kind] of Object.entries(list)) {
    const literal = kind.schema.def.shape.kind;
    t.ok(literal.safeParse(name).success, `${name}: the literal of its schema`);
    if (name === 'vault') continue;
    t.ok(
      texts.some((text) => new RegExp(`kind: ${name}\\b`).test(text)),
      `${name}: a guide has it`,
    );
  }
  t.end();
});
