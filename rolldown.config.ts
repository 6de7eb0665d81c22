// Bundles the agent into a few ES modules: each command loads only the chunks that it needs.
import { defineConfig } from 'rolldown';

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
    // A small young generation: an agent keeps little and allocates in bursts. It saves 5 MiB.
    banner: (chunk) => (chunk.isEntry ? '#!/usr/bin/env -S node --max-semi-space-size=1' : ''),
    chunkFileNames: '[name]-[hash].js',
  },
  plugins: [
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
