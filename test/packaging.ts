// What is built from, what is in the package, and what runs on the machine where it is installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { testFolder } from './support/test-folder.ts';

const root = resolve(import.meta.dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');

interface LockEntry {
  version?: string;
  integrity?: string;
  link?: boolean;
  dev?: boolean;
}
const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockEntry> };
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  scripts: Record<string, string>;
  files: string[];
};

t.test('whatever is installed from the lock file is verified, on every platform', async (t) => {
  const entries = Object.entries(lock.packages).filter(
    ([path, { link }]) => path.includes('node_modules/') && link !== true,
  );
  t.ok(entries.length > 100);
  const without = entries.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''));
  t.strictSame(
    without.map(([path]) => path),
    [],
  );
});

t.test('the package needs koffi alone at run time, in one version', async (t) => {
  t.strictSame(Object.keys(manifest.dependencies), ['koffi']);
  t.match(manifest.dependencies['koffi'], /^\d+\.\d+\.\d+$/);
});

t.test(
  'an install without what development needs, and `npm ls --omit=dev`, have koffi and its binaries alone',
  async (t) => {
    const paths = Object.entries(lock.packages).flatMap(([path, { dev, link }]) =>
      dev === true || link === true ? [] : path,
    );
    t.strictSame(
      paths.filter((path) => !/^(?:|node_modules\/(?:koffi|@koromix\/koffi-[\w-]+))$/.test(path)),
      [],
    );
  },
);

t.test('nothing of ours runs where the package is installed', async (t) => {
  // `prepare` runs in a checkout alone.
  for (const name of ['preinstall', 'install', 'postinstall', 'prepublish'])
    t.notOk(name in manifest.scripts, name);
});

t.test('base images are named by digest, and a build can name others', async (t) => {
  const text = read('Dockerfile');
  const images = [...text.matchAll(/^FROM (\S+)/gm)].map(([, image = '']) => image);
  t.strictSame(
    images.map((image) => image.replace(/\W/g, '')),
    ['BUILD_IMAGE', 'RUN_IMAGE'],
  );
  for (const image of ['BUILD_IMAGE', 'RUN_IMAGE'])
    t.match(text, new RegExp(`^ARG ${image}=\\S+@sha256:[0-9a-f]{64}$`, 'm'));
  t.match(text, /--build-arg BUILD_IMAGE=\S+@sha256:/, 'and the file says how');
});

t.test('what npm packs is whole: program, docs that messages and pages point to, unit', async (t) => {
  const folder = testFolder(t);
  const { stdout, status } = spawnSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, npm_config_update_notifier: 'false' },
    },
  );
  if (status !== 0) {
    t.pass('npm pack', { skip: 'npm is not there' });
    return;
  }
  const parsed = JSON.parse(stdout) as { files: { path: string; mode: number }[] }[];
  const paths = new Map((Object.values(parsed)[0]?.files ?? []).map(({ path, mode }) => [path, mode]));
  for (const path of [
    'dist/main.js',
    'docs/reference/config.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'README.md',
    'LICENSE',
    'config/latchkey.service',
  ])
    t.ok(paths.has(path), path);
  t.equal((paths.get('dist/main.js') ?? 0) & 0o111, 0o111, 'the program can be executed');
  for (const path of paths.keys())
    t.notMatch(path, /^(?:src|test|packages|node_modules)\/|\.(?:env|key|pem)$|\.cache/);
  for (const [, target = ''] of read('README.md').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
    const isFolder = existsSync(join(root, target)) && ![...paths.keys()].includes(target);
    t.ok(
      isFolder ? [...paths.keys()].some((path) => path.startsWith(`${target}/`)) : paths.has(target),
      `README: ${target}`,
    );
  }
});
