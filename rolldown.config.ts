// Bundles the agent into a few ES modules: each command loads only the chunks that it needs.
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: { 'legacy-service': 'src/cli/demo/legacy-service.ts', main: 'src/main.ts' },
  platform: 'node',
  external: ['koffi'],
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    minify: false,
    banner: (chunk) => (chunk.isEntry ? '#!/usr/bin/env node' : ''),
    chunkFileNames: '[name]-[hash].js',
  },
});
