import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '../../../src/base/logger.ts';
import { commitFiles } from '../../../src/files/disk/commit.ts';
import { createFolderSync } from '../../../src/files/disk/folder-sync.ts';
import { recover } from '../../../src/files/disk/recovery.ts';
import { isStaged, type Output, type StagedFile, stageOutput } from '../../../src/files/disk/stage.ts';
import { mount } from '../../support/mounts.ts';
import { needsRoot } from '../../support/needs-root.ts';
import { testFolder } from '../../support/test-folder.ts';
import { waitFor } from '../../support/wait-for.ts';

function setUp(t: Test) {
  const folder = testFolder(t);
  const [conf, staging, stateFolder] = ['conf.d', 'staging', 'state'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(conf);
  return { folder, conf, staging, tools: { stateFolder, syncFolder: createFolderSync() } };
}

async function stage(destination: string, staging: string, over: Partial<Output> = {}): Promise<StagedFile> {
  const output = {
    ...{ place: 'files[0]', destination, staging, bytes: Buffer.from('new'), mode: 0o640 },
    ...{ uid: undefined, gid: undefined, createParents: false, inPlace: false, backup: false, ...over },
  };
  const result = await stageOutput(output, { spareFolder: undefined });
  if (!isStaged(result)) throw new Error('nothing staged');
  return result;
}

t.test('no other name is ever in the folder of the destination', async (t) => {
  const { conf, staging, tools } = setUp(t);
  writeFileSync(join(conf, 'app.conf'), 'old');
  const seen = new Set<string | null>();
  const watcher = watch(conf, (_, name) => seen.add(name));
  t.teardown(() => watcher.close());
  const file = await stage(join(conf, 'app.conf'), staging, { backup: true });
  t.match(file.path, /\/staging\/\.latchkey-staged-.*-app\.conf$/);
  t.equal(statSync(staging).mode & 0o777, 0o700, 'made for the agent alone');
  const commit = await commitFiles({ files: [file], canRestore: true, notify: [] }, tools);
  t.equal(readFileSync(join(conf, 'app.conf'), 'utf8'), 'new');
  t.equal(readFileSync(join(conf, 'app.conf.bak'), 'utf8'), 'old');
  await commit.restore();
  t.equal(readFileSync(join(conf, 'app.conf'), 'utf8'), 'old');
  await commit.finish(true);
  t.strictSame(readdirSync(staging), [], 'and nothing is left');
  writeFileSync(join(conf, 'last'), '');
  await waitFor('the last change', () => seen.has('last'));
  t.strictSame([...seen].sort(), ['app.conf', 'app.conf.bak', 'last']);
});

t.test('a set of which one cannot be replaced goes back as a whole', async (t) => {
  const { conf, staging, tools } = setUp(t);
  writeFileSync(join(conf, 'a'), 'old');
  const files = [await stage(join(conf, 'a'), staging), await stage(join(conf, 'b'), staging)];
  mkdirSync(join(conf, 'b'));
  await t.rejects(commitFiles({ files, canRestore: false, notify: [] }, tools), /cannot replace .*\/b:/);
  t.equal(readFileSync(join(conf, 'a'), 'utf8'), 'old');
  t.strictSame(readdirSync(staging), []);
});

t.test('what a killed agent left there is swept at the next start', async (t) => {
  const { conf, staging, tools } = setUp(t);
  mkdirSync(staging);
  writeFileSync(join(staging, '.latchkey-staged-4194304.1z-0123456789ab-app.conf'), 'old secret');
  writeFileSync(join(staging, 'of somebody else'), '');
  const destinations = [{ destination: join(conf, 'app.conf'), uid: undefined, staging }];
  await recover({ ...tools, destinations, logger: silentLogger });
  t.strictSame(readdirSync(staging), ['of somebody else']);
});

t.test('another file system is refused before anything changes', { skip: needsRoot }, async (t) => {
  const { conf, staging, tools } = setUp(t);
  mkdirSync(staging);
  if (!mount(t, staging, '-t', 'tmpfs', 'tmpfs')) return;
  const refusal = {
    code: 'file_failed',
    message: /^files\[0\]\.staging: .* is on another file system or mount/,
  };
  await t.rejects(stage(join(conf, 'app.conf'), staging), refusal);
  t.strictSame([readdirSync(conf), readdirSync(staging)], [[], []]);
  writeFileSync(join(conf, 'app.conf'), 'old, and longer');
  const file = await stage(join(conf, 'app.conf'), staging, { inPlace: true });
  await commitFiles({ files: [file], canRestore: false, notify: [] }, tools);
  t.equal(readFileSync(join(conf, 'app.conf'), 'utf8'), 'new', 'what is written in place is copied');
  await t.rejects(stage(join(conf, 'other'), staging, { inPlace: true }), refusal, 'a new one is not');
});

t.test('another mount of the same file system is told by name too', { skip: needsRoot }, async (t) => {
  const { folder, conf, staging, tools } = setUp(t);
  mkdirSync(staging);
  mkdirSync(join(folder, 'elsewhere'));
  if (!mount(t, staging, '--bind', join(folder, 'elsewhere'))) return;
  writeFileSync(join(conf, 'app.conf'), 'old');
  const file = await stage(join(conf, 'app.conf'), staging);
  await t.rejects(commitFiles({ files: [file], canRestore: true, notify: [] }, tools), {
    code: 'file_failed',
    message: /^files\[0\]\.staging: .* is on another file system or mount/,
    remedy: /on the file system of the destination/,
  });
  t.equal(readFileSync(join(conf, 'app.conf'), 'utf8'), 'old');
  t.strictSame(readdirSync(staging), []);
});

t.test('a folder in which others have a hand is refused', { skip: needsRoot }, async (t) => {
  const { folder, conf, staging } = setUp(t);
  mkdirSync(staging, { mode: 0o700 });
  chmodSync(staging, 0o770);
  chownSync(staging, 0, 12_345);
  await t.rejects(stage(join(conf, 'app.conf'), staging), /^files\[0\]\.staging: cannot stage in /);
  chmodSync(staging, 0o700);
  chownSync(staging, 12_345, 12_345);
  await t.rejects(stage(join(conf, 'app.conf'), staging), /uid 12345/);
  writeFileSync(join(folder, 'plain'), '');
  await t.rejects(stage(join(conf, 'app.conf'), join(folder, 'plain')), /a part of the path is not a folder/);
});
