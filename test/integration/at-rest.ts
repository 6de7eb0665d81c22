// What an agent keeps when nothing happens: seen in a snapshot of its heap, as figures of memory differ from run to run.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startAgent } from '../support/cli.ts';
import { startDevVault } from '../support/dev-vault.ts';
import { testFolder } from '../support/test-folder.ts';
import { waitFor } from '../support/wait-for.ts';

interface HeapNode {
  readonly type: string;
  readonly name: string;
  readonly bytes: number;
}

interface Snapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: string[]; readonly node_types: [string[]] } };
  readonly nodes: number[];
  readonly strings: string[];
}

/** More than Node's own pools of buffers have. */
const largeBuffer = 200_000;

/** Loaded into the agent before its own code. It starts with no option of Node that lets others see its memory. */
function snapshotOnSignal(folder: string): string {
  const path = join(folder, 'snapshot-on-signal.cjs');
  const [written, there] = [join(folder, 'written'), join(folder, 'heap')].map((name) =>
    JSON.stringify(name),
  );
  const write = `require('v8').writeHeapSnapshot(${written}); require('fs').renameSync(${written}, ${there});`;
  writeFileSync(path, `process.on('SIGUSR2', () => { ${write} });`);
  return path;
}

async function heapOf(pid: number, folder: string): Promise<HeapNode[]> {
  process.kill(pid, 'SIGUSR2');
  const path = join(folder, 'heap');
  await waitFor('the snapshot', () => existsSync(path));
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(path, 'utf8')) as Snapshot;
  rmSync(path);
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
  return Array.from({ length: nodes.length / fields.length }, (_, index) => {
    const value = (field = 0): number => nodes[index * fields.length + field] ?? 0;
    return {
      type: types[0][value(type)] ?? '',
      name: strings[value(name)] ?? '',
      bytes: value(size),
    };
  });
}

t.test('an agent at rest keeps no large buffer, and nothing of TLS where no address wants it', async (t) => {
  const folder = testFolder(t);
  const vault = await startDevVault(t);
  await vault.writeSecret('secret/app', { word: 'w' });
  const agent = startAgent(t, {
    folder,
    vault,
    node: ['--require', snapshotOnSignal(folder)],
    config: {
      secrets: { app: { path: 'secret/app' } },
      files: [{ contents: '{{ field "app" "word" }}', destination: join(folder, 'out') }],
    },
  });
  await agent.untilReady();
  const heap = await heapOf(agent.pid, folder);
  const buffers = heap.filter(({ name }) => name === 'system / JSArrayBufferData');
  t.not(buffers.length, 0);
  t.strictSame(
    buffers.filter(({ bytes }) => bytes > largeBuffer),
    [],
  );
  const isClass = (wanted: string) => heap.some(({ type, name }) => type === 'closure' && name === wanted);
  t.ok(isClass('Socket'));
  t.notOk(isClass('TLSSocket'));
});
