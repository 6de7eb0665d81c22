// Bundles the agent into a few ES modules: each command loads only the chunks that it needs, and the agent few.
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { defineConfig } from 'rolldown';
import { allocatorSettings } from './src/cli/allocator-settings.ts';

// An agent keeps little, allocates in bursts and rests for hours: a small young generation, and an allocator that gives
// memory back. Other options of V8 would cost each start (tune-heap.ts).
const malloc = Object.entries(allocatorSettings)
  .map((setting) => setting.join('='))
  .join(' ');
// No debugger by signal. What else Node would load or keep for the environment's sake is taken out of it: variables of the
// one who starts us for their own programs, with sudo for somebody else's. A line of a kernel has 255 bytes for all this.
const without = '-u NODE_OPTIONS -u NODE_PATH -u NODE_COMPILE_CACHE';
const nodeFlags = '--disable-sigusr1 --max-semi-space-size=1';
const shebang = `#!/usr/bin/env -S ${without} ${malloc} node ${nodeFlags}`;

// What is loaded together stands in one file: to find, open and link a module takes Node half a millisecond. Each group takes
// what those before it have left.
const groups = [
  { name: 'get', test: /\/src\/(?:base\/text\/nearest|cli\/(?:close-doors|commands\/(?:get|version)))\.ts$/ },
  {
    name: 'cache',
    test: /\/src\/(?:agent\/host\/tune-heap|base\/(?:system\/node-tls|v8-options)|cli\/compile-cache)\.ts$/,
  },
  {
    name: 'ask',
    test: /\/src\/(?:api\/[\w-]+|base\/system\/ask-socket|cli\/(?:config-socket|stop-signal)|client\/typed-client)\.ts$/,
  },
  { name: 'config', test: /\/src\/config\/load\.ts$/ },
  {
    name: 'agent',
    test: /\/src\/(?:cli\/commands\/agent|upstream\/vault\/(?:vault-upstream|auth\/token)|access\/peer-linux)\.ts$/,
  },
];

// Of libraries, what they load at once and nobody here asks for: HTTP/2, threads of the log.
const leftOut = ['undici/lib/dispatcher/client-h2.js', 'thread-stream/index.js'];

// Of Node, what libraries ask for at once and need with some addresses alone: loaded when a member is taken. TLS costs more
// than a megabyte (src/base/system/node-tls.ts).
const onDemand = new Set(['https', 'tls', 'zlib']);

const program = defineConfig({
  input: {
    main: 'src/main.ts',
    'legacy-service': 'src/cli/demo/legacy-service.ts',
    'kerberos-token': 'src/upstream/vault/auth/kerberos/kerberos-token.ts',
  },
  platform: 'node',
  external: ['koffi'],
  // As undici is built for Node itself: without the parser that is on trial.
  transform: { define: { esbuildDetection: 'true' } },
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    // Functions and classes keep their names, for readable stack traces; other names, comments and white space would only take memory.
    minify: { compress: false, mangle: { toplevel: true, keepNames: true }, codegen: true },
    banner: (chunk) => (chunk.isEntry ? shebang : ''),
    chunkFileNames: '[name]-[hash].js',
    codeSplitting: { groups },
  },
  plugins: [
    {
      // An import of a module of Node reads all its members, and some of them load much more: the whole of the undici inside
      // Node, web streams. What is taken out of the module by name costs nothing but that name.
      name: 'node-modules',
      renderChunk: (code) => takeFromNode(code),
    },
    {
      name: 'ascii',
      // One other character makes Node keep the whole source text in twice the memory, and V8 read it at half the speed.
      generateBundle(_options, bundle) {
        for (const chunk of Object.values(bundle)) {
          if (chunk.type === 'chunk') chunk.code = chunk.code.replace(/[^\0-\x7f]/g, escapeCharacter);
        }
      },
    },
    {
      name: 'left-out',
      load: (id) => (leftOut.some((path) => id.endsWith(`/${path}`)) ? 'module.exports = {};' : null),
      // A library that was divided otherwise would come back whole, and nobody would see it but in what it costs.
      buildEnd() {
        const ids = [...this.getModuleIds()];
        const missing = leftOut.filter((path) => !ids.some((id) => id.endsWith(`/${path}`)));
        if (missing.length > 0) this.error(`nothing loads ${missing.join(', ')} any more: is it elsewhere?`);
      },
    },
  ],
});

/** For a browser: one script, one style sheet, nothing else. */
const pages = ['ui', 'demo'].map((name) =>
  defineConfig({
    input: { page: `src/cli/${name}/page/page.ts` },
    platform: 'browser',
    output: {
      dir: `dist/${name}`,
      minify: { compress: false, mangle: false, codegen: true },
    },
    plugins: [
      {
        name: 'page',
        buildStart() {
          const read = (...path: string[]): string => readFileSync(join('src/cli', ...path), 'utf8');
          const emit = (fileName: string, source: string): string =>
            this.emitFile({ type: 'asset', fileName, source });
          emit('page.html', read(name, 'page/page.html'));
          emit('page.css', read('ui/page/base.css') + read(name, 'page/page.css'));
        },
      },
    ],
  }),
);

// In this order: the first clears the folder.
export default [program, ...pages];

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Imports stand at the head of a chunk, one for each module. */
function takeFromNode(code: string): string {
  const imports = /^(?:import [^;]*;\n)*/.exec(code)?.[0] ?? '';
  const head = imports.replace(
    /^import (?:\* as )?(?<name>[\w$]+)?(?:, )?(?:\{ (?<members>[^}]*) \})? from "(?<id>[^"]+)";$/gm,
    takeImport,
  );
  const body = code
    .slice(imports.length)
    .replace(/\b__require\("(?<id>[^"]+)"\)/g, (call, id: string) =>
      isBuiltin(id) ? moduleForLibrary(id) : call,
    );
  return head + body;
}

function takeImport(statement: string, ...rest: unknown[]): string {
  const { name, members, id = '' } = rest.at(-1) as Partial<Record<string, string>>;
  if (!isBuiltin(id)) return statement;
  const module = name === undefined ? '' : `const ${name} = ${moduleOfNode(id)};`;
  const taken = members?.replaceAll(' as ', ': ');
  return taken === undefined ? module : `${module}const { ${taken} } = ${name ?? moduleOfNode(id)};`;
}

function moduleForLibrary(id: string): string {
  const module = moduleOfNode(id);
  return onDemand.has(id.replace(/^node:/, ''))
    ? `new Proxy({}, { get: (_, name) => ${module}[name] })`
    : module;
}

function moduleOfNode(id: string): string {
  return `process.getBuiltinModule("${id}")`;
}
