// Bundles the agent into a few ES modules: each command loads only the chunks that it needs.
import http from 'node:http';
import { defineConfig } from 'rolldown';

// An agent keeps little, allocates in bursts and rests for hours: a small young generation, and an allocator that gives
// memory back. docs/BENCHMARKS.md has what they save. Other options of V8 would cost each start (tune-heap.ts).
const malloc = 'MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=65536 MALLOC_MMAP_THRESHOLD_=65536';
// No debugger by signal. What else Node would load or keep for the environment's sake is taken out of it: variables of the
// one who starts us for their own programs, with sudo for somebody else's. A line of a kernel has 255 bytes for all this.
const without = '-u NODE_OPTIONS -u NODE_PATH -u NODE_COMPILE_CACHE';
const nodeFlags = '--disable-sigusr1 --max-semi-space-size=1';
const shebang = `#!/usr/bin/env -S ${without} ${malloc} node ${nodeFlags}`;

const httpNames = Object.keys(http).filter((name) => !/^(?:WebSocket|CloseEvent|MessageEvent)$/.test(name));
const lazyHttp = `const http = process.getBuiltinModule('node:http');
export default http;
export const { ${httpNames.join(', ')} } = http;`;

export default defineConfig({
  input: { main: 'src/main.ts', 'legacy-service': 'src/cli/demo/legacy-service.ts' },
  platform: 'node',
  external: ['koffi'],
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    // Names stay as they are, for readable stack traces; comments and white space would only take memory.
    minify: { compress: false, mangle: false, codegen: true },
    banner: (chunk) => (chunk.isEntry ? shebang : ''),
    chunkFileNames: '[name]-[hash].js',
  },
  plugins: [
    {
      name: 'node-http',
      // An import of node:http reads all its members, and three of them (WebSocket, CloseEvent, MessageEvent) load the
      // whole of the undici inside Node: 4 MiB and 10 ms for nothing.
      resolveId: (id) => (/^(?:node:)?http$/.test(id) ? '\0node-http' : null),
      load: (id) => (id === '\0node-http' ? lazyHttp : null),
    },
    {
      name: 'latin1',
      // One character beyond Latin-1 makes V8 keep the whole source text in twice the memory.
      renderChunk: (code) => code.replace(/[^\0-\xff]/g, escapeCharacter),
    },
  ],
});

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
