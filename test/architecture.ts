// Holds the layer table of docs/ARCHITECTURE.md: who may import whom.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import t from 'tap';

const root = resolve(import.meta.dirname, '../src');
const devvault = resolve(import.meta.dirname, '../packages/devvault/src');

/** Layer of each folder of src; siblings in a layer do not import each other. */
const layers: Readonly<Record<string, number>> = {
  base: 0,
  api: 1,
  template: 1,
  config: 1,
  // What a kind of upstream declares of itself stands in its folder, and is what the configuration knows of it.
  'upstream/*/*-kind.ts': 1,
  store: 1,
  metrics: 1,
  // Rules and audit files as the configuration has them.
  access: 2,
  audit: 2,
  // Templates bound to the store: files and environments of processes are both made of them.
  content: 2,
  upstream: 3,
  lease: 3,
  files: 3,
  supervise: 3,
  server: 4,
  agent: 5,
  client: 6,
  cli: 6,
};
/** `server` serves what is in memory; it asks the agent for the rest. `cli` sees the agent, never its parts. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  config: ['base', 'upstream/*/*-kind.ts'],
  'upstream/*/*-kind.ts': ['base', 'config'],
  upstream: ['base', 'config', 'store', 'metrics', 'upstream/*/*-kind.ts'],
  lease: ['base', 'config', 'store', 'metrics'],
  server: ['base', 'api', 'template', 'access', 'config', 'store', 'audit', 'metrics'],
  client: ['base', 'api'],
  cli: ['base', 'api', 'client', 'config', 'agent', 'devvault'],
  devvault: ['base'],
};
const sizeLimit = 400;

function sourceFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

/** The list, each kind's own file, what its paths mean, and where one has many keys the folder beside it. */
const declaresKind = /^upstream\/(?:kind-list\.ts$|[^/]+\/(?:[^/]+-(?:kind|path)\.ts$|config\/))/;

/** The layer's name of a file: its folder of src, or the package that stands apart. */
function folderOf(path: string): string {
  if (path === devvault || path.startsWith(`${devvault}/`)) return 'devvault';
  const name = relative(root, path);
  if (declaresKind.test(name)) return 'upstream/*/*-kind.ts';
  return name.split('/')[0] ?? '';
}

/** Absolute paths of what a file imports of this project. */
function importsOf(file: string): string[] {
  // The declaration of a kind opens its source on demand, for whoever has read the whole config: it uses nothing of it.
  const text = readFileSync(file, 'utf8').replace(
    /-kind\.ts$/.test(file)
      ? /^ {2}load: async \(\) => \(await import\('\.\/[a-z0-9-]+\.ts'\)\)\.create\w+,$/m
      : /^$/,
    '',
  );
  return [
    ...[...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
      resolve(dirname(file), match[1] ?? ''),
    ),
    ...[...text.matchAll(/'@latchkey\/devvault\/([^']+)'/g)].map((match) => join(devvault, match[1] ?? '')),
  ];
}

function mayImport(from: string, to: string): boolean {
  if (from === to || from === 'main.ts' || to === 'version.ts') return true;
  const list = allowed[from];
  if (list !== undefined) return list.includes(to);
  return (layers[to] ?? 99) < (layers[from] ?? -1);
}

const files = [...sourceFiles(root), ...sourceFiles(devvault)];

t.test('no import climbs or crosses the layers', (t) => {
  const wrong = files.flatMap((file) => {
    const from = folderOf(file);
    return importsOf(file)
      .map(folderOf)
      .filter((to) => to !== '..' && !mayImport(from, to))
      .map((to) => `${relative(root, file)} imports ${to}`);
  });
  t.strictSame(wrong, []);
  t.end();
});

t.test('every folder has a layer, every file opens with what it owns and stays small', (t) => {
  for (const file of files) {
    const name = `${folderOf(file)}/${basename(file)}`;
    const text = readFileSync(file, 'utf8');
    const folder = folderOf(file);
    if (dirname(file) !== root)
      t.ok(folder in layers || folder in allowed, `${name}: its folder has a layer`);
    t.match(text, /^\/\/ \S/, `${name}: opens with a comment`);
    t.ok(text.split('\n').length <= sizeLimit, `${name}: at most ${sizeLimit} lines`);
    t.match(relative(root, file), /^[./a-z0-9-]+\.ts$/, `${name}: kebab-case`);
  }
  t.end();
});

t.test('only base/system/libc.ts loads koffi', (t) => {
  const users = files.filter((file) =>
    /(?:from|import\(|require\(|load\()\s*'koffi'/.test(readFileSync(file, 'utf8')),
  );
  t.strictSame(
    users.map((file) => relative(root, file)),
    ['base/system/libc.ts'],
  );
  t.end();
});

t.test('what Node does not document is used in one folder, which tries it at the start', (t) => {
  const users = files
    .filter((file) => folderOf(file) !== 'devvault')
    .filter((file) =>
      /\b_(?:handle|header\w*|httpMessage|events|server)\b|\.listeners\('|process\.binding\(/.test(
        readFileSync(file, 'utf8').replace(/^ *(?:\/\*\*[\s\S]*?\*\/|\/\/.*)$/gm, ''),
      ),
    )
    .map((file) => relative(root, dirname(file)));
  t.strictSame([...new Set(users)], ['server/node-internals']);
  t.end();
});

t.test('owners and modes are set by descriptor', (t) => {
  // Of a name it may be another's file by then. FileHandle has methods of the same names: `handle.chmod`, `sink.chown`.
  const byName =
    /\b(?:l?chown|l?chmod|lutimes|utimes)(?:Sync)?\b(?=[^.]*\bfrom 'node:fs)|\b(?:fs|promises)\.l?ch(?:own|mod)/;
  const wrong = files
    .filter((file) => folderOf(file) !== 'devvault')
    .filter((file) =>
      [
        ...readFileSync(file, 'utf8').matchAll(
          /^import [^;]*from 'node:fs(?:\/promises)?';|\b(?:fs|promises)\.\w+/gm,
        ),
      ].some(([text]) => byName.test(text)),
    );
  t.strictSame(
    wrong.map((file) => relative(root, file)),
    ['base/paths/socket-rights.ts'],
  );
  t.end();
});

/** Where nobody hands a clock in: the floor and its log, or about the process itself, a socket, a terminal, systemd or a file of a moment ago. */
const ownTimers = [
  'agent/host/sd-notify.ts',
  'agent/host/tune-heap.ts',
  'base/log/log-journal.ts',
  'base/log/log-repeats.ts',
  'base/paths/controlled-file.ts',
  'base/paths/file-watch.ts',
  'base/paths/folder-watch.ts',
  'base/paths/held-folder.ts',
  'base/system/ask-socket.ts',
  'server/http/http-listener.ts',
  'server/listen/http-limits.ts',
  'server/node-internals/self-test.ts',
  'supervise/launch/terminal.ts',
  'upstream/file/replace-sealed-file.ts',
  'upstream/vault/auth/read-credential.ts',
];

t.test('what waits in the agent goes by the clock that it is given', (t) => {
  const wrong = files
    .filter((file) => !['cli', 'devvault'].includes(folderOf(file)) && !file.includes('/base/time/'))
    .filter((file) => /(?<![.\w])set(?:Timeout|Interval)\(|'node:timers/.test(readFileSync(file, 'utf8')))
    .map((file) => relative(root, file));
  t.strictSame(wrong.sort(), ownTimers);
  t.end();
});

/** Where names are opened beside base: only such as nobody else can give another file to. */
const opensByName: Readonly<Record<string, string>> = {
  'access/peer-linux.ts': "the kernel's own, below /proc",
  'audit/audit-file.ts': '/proc/locks',
  'audit/audit-lines.ts': 'a descriptor that base has opened',
  'cli/commands/consul-template.ts': 'its own folder, made a moment ago',
  'cli/commands/generate-config.ts': 'what came with this program',
  'cli/demo': 'the folder of the demo, and the program that plays a legacy one',
  'cli/sealed/edit-in-memory.ts': 'its own folder, made a moment ago',
  'cli/ui/open-in-browser.ts': 'its own folder, made a moment ago',
  'files/disk/copy-file.ts': 'a name in a held folder',
  'files/disk/folder-sync.ts': 'a held folder, or one that is opened for its sync alone',
  'files/disk/make-fifo.ts': 'a name in a held folder',
  'supervise/launch/find-background.ts': "the kernel's own, below /proc",
  'upstream/file/replace-sealed-file.ts': 'names in a held folder',
};

t.test('what others name is opened by base, which waits for no pipe and takes in no end', (t) => {
  const call =
    /(?<![.\w])((?:fs\.)?(?:open(?:dir|There)?|(?:read|write|append|copy)File|create(?:Read|Write)Stream)(?:Sync)?)\(\s*((?:[^(),]|\([^()]*\))*)/g;
  // In a held folder, of the kernel, this program itself, what came with it, or what is open already.
  const isSafe = /\.entry\(|^['`]\/(?:proc|dev|sys)\/|^process\.execPath$|import\.meta|^(?:fd|pipe)$/;
  const wrong = files
    .filter((file) => !['base', 'devvault'].includes(folderOf(file)))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8').replace(/^ *(?:\/\*\*[\s\S]*?\*\/|\/\/.*)$/gm, '');
      const [...imports] = text.matchAll(/^import [^;]*from 'node:fs(?:\/promises)?';/gm);
      const isNodes = (name: string): boolean =>
        name.startsWith('fs.') ||
        name === 'openThere' ||
        imports.some(([line]) => new RegExp(`\\b${name}\\b`).test(line));
      return [...text.matchAll(call)]
        .filter(([, name = '', argument = '']) => isNodes(name) && !isSafe.test(argument.trim()))
        .map(() => relative(root, file));
    })
    .map((name) => (name.startsWith('cli/demo/') ? 'cli/demo' : name));
  t.strictSame([...new Set(wrong)].sort(), Object.keys(opensByName).sort());
  t.end();
});

/** The files of `base/paths` serve each other too, those of `base/log` the logger, and those of `base/mask` its mask. */
function isOfFloor(path: string): boolean {
  const [folder, group, file] = relative(root, path).split('/');
  if (folder === 'base' && group === 'mask') return file === 'output-mask.ts';
  return folder === 'base' && group !== 'paths' && group !== 'log';
}

t.test('what is in base has two users at least', (t) => {
  for (const file of files.filter(isOfFloor)) {
    const users = files.filter((path) => importsOf(path).includes(file)).map(folderOf);
    t.ok(new Set(users).size >= 2, `${relative(root, file)}: ${[...new Set(users)].join(', ')}`);
  }
  t.end();
});

/** Groups of files that reach each other by imports, types included (R. E. Tarjan, 1972), each in the order of the alphabet. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): void => {
    const own = index.size;
    index.set(file, own);
    low.set(file, own);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file) ?? own, low.get(next) ?? own));
    }
    if (low.get(file) !== own) return;
    const members = stack.splice(stack.indexOf(file));
    if (members.length > 1) found.push(members.map((path) => relative(root, path)).sort());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found.sort(([a = ''], [b = '']) => (a < b ? -1 : 1));
}

/** A Go type has methods, methods take values, and a value has a type: one idea, in three files for its size. */
const naturalCircles = [
  ['template/exec/function-table.ts', 'template/value/type.ts', 'template/value/value.ts'],
];

t.test('no import goes in a circle between files, types included', (t) => {
  // A backend of the development vault and the server that it is in describe each other; it stands apart.
  const inside = files.filter((file) => folderOf(file) !== 'devvault');
  const graph = new Map(inside.map((file) => [file, importsOf(file).filter((to) => inside.includes(to))]));
  t.strictSame(circles(graph), naturalCircles);
  t.end();
});

/** Which folder may import which library; a library that is not named may be imported by nobody. */
const libraries: Readonly<Record<string, readonly string[]>> = {
  '@peculiar/x509': ['devvault'],
  'age-encryption': ['upstream'],
  aws4fetch: ['upstream'],
  bcryptjs: ['template'],
  jose: ['devvault', 'server', 'upstream'],
  'js-yaml': ['config', 'devvault', 'upstream'],
  koffi: ['base'],
  pg: ['cli', 'devvault'],
  pino: ['base'],
  re2js: ['template'],
  'reflect-metadata': ['devvault'],
  'smol-toml': ['config'],
  undici: ['upstream'],
  ws: ['devvault', 'upstream'],
  yargs: ['cli'],
  zod: ['config', 'devvault', 'upstream/*/*-kind.ts'],
};

t.test('each library is imported where it belongs, and nowhere else', (t) => {
  const wrong = files.flatMap((file) =>
    [
      ...readFileSync(file, 'utf8').matchAll(
        /(?:^(?:import|export|\}) ?[^;']*?\bfrom |^import |\bimport\()'((?:@[^/']+\/)?[^.'/][^'/]*)[^']*'/gm,
      ),
    ]
      .map((match) => match[1] ?? '')
      .filter((name) => !name.startsWith('node:') && name !== '@latchkey/devvault')
      .filter((name) => libraries[name]?.includes(folderOf(file)) !== true)
      .map((name) => `${relative(root, file)} imports ${name}`),
  );
  t.strictSame(wrong, []);
  t.end();
});

t.test('what an interface offers is called by somebody', (t) => {
  const texts = new Map(
    files.map((file) => [file, readFileSync(file, 'utf8').replace(/^ *\/\*\*[\s\S]*?\*\/|^ *\/\/.*$/gm, '')]),
  );
  const all = [...texts.values()].join('\n');
  const called = new Set([...all.matchAll(/\.(\w+)\b/g)].map((match) => match[1]));
  // `const { give } = …`, `({ give }: Options)`, `for (const { give } of …)`: the braces of a pattern, with what follows them.
  const patterns =
    /\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}(?=\s*(?:=[^=>]|:\s*[\w({]|\)\s*=>|\s+of\s|,\s*\w+\)|\)))/g;
  for (const [, inside = ''] of all.matchAll(patterns))
    for (const [name] of inside.matchAll(/\b\w+\b/g)) called.add(name);
  const unused = [...texts].flatMap(([file, text]) =>
    // What the development vault offers to tests.
    file === join(devvault, 'dev-vault.ts')
      ? []
      : [
          ...text.matchAll(/^(?:export )?(?:interface (\w+)[^{\n]*|type (\w+)[^=\n]*= )\{\n([\s\S]*?)^\}/gm),
        ].flatMap(([, one, other, body = '']) =>
          [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??(?:[(<]|: \()/gm)]
            .filter(([, method]) => !called.has(method ?? ''))
            .map(([, method]) => `${relative(root, file)}: ${one ?? other}.${method}`),
        ),
  );
  t.strictSame(unused, []);
  t.end();
});

/** Where a name is that of a thing of many sides: a command, a kind, a language, a theme of functions. */
const namesakes = /^(?:cli\/(?:commands|demo)|config\/sources|upstream\/vault\/auth|template)\//;
/** The part of the contract, and the one who keeps it. */
const counterparts = ['errors.ts', 'routes.ts', 'status.ts', 'timeline.ts', 'kinds.ts', 'accounts.ts'];

t.test('two files have one name only where they are of one thing', (t) => {
  const seen = new Map<string, string>();
  for (const file of files.filter((path) => folderOf(path) !== 'devvault')) {
    const name = relative(root, file);
    if (namesakes.test(name) || counterparts.includes(basename(file))) continue;
    t.equal(seen.get(basename(file)), undefined, `${name}: no other has its name`);
    seen.set(basename(file), name);
  }
  t.end();
});

t.test('no type is the copy of another', (t) => {
  const known = new Map<string, string>();
  for (const file of files.filter((path) => !['devvault', 'template'].includes(folderOf(path)))) {
    const text = readFileSync(file, 'utf8').replace(/^ *\/\*\*[\s\S]*?\*\//gm, '');
    for (const [, name = '', body = ''] of text.matchAll(
      /^(?:export )?interface (\w+) \{\n([\s\S]*?)^\}/gm,
    )) {
      const members = body.split('\n').flatMap((line) => line.trim() || []);
      if (members.length < 4) continue;
      const key = members.sort().join('\n');
      t.equal(known.get(key), undefined, `${name} of ${relative(root, file)}`);
      known.set(key, `${name} of ${relative(root, file)}`);
    }
  }
  t.end();
});

t.test('each file that an upstream reads is one whose mode is looked at', (t) => {
  // By the name of its key: see filesOf in src/config/resolve/check-modes.ts. Parts of a path that are put together are looked
  // at where they end up.
  const judged = /(?:File|Path|Files)$|^path$/;
  for (const file of files.filter((path) => /^(?:upstream|config\/upstreams)\//.test(relative(root, path)))) {
    const text = readFileSync(file, 'utf8');
    for (const [, key = ''] of text.matchAll(
      /(\w+)(?::| =)\s*(?:value\.\w+ === undefined \? undefined : )?context\.(?:pathAt|optionalPathAt)\(/g,
    ))
      t.match(key, judged, `${relative(root, file)}: ${key}`);
  }
  t.end();
});

const folderLimit = 16;
/** One file for each command, kind or theme: a list, that nobody reads from end to end. And the floor, which all know. */
const lists = ['cli/commands', 'template/functions/consul-template'];

t.test('a folder holds what can be seen at a glance', (t) => {
  const counts = Map.groupBy(files, dirname);
  for (const [folder, { length }] of counts) {
    const name = relative(root, folder);
    if (!lists.includes(name)) t.ok(length <= folderLimit, `${name}: ${length} files`);
  }
  t.end();
});
