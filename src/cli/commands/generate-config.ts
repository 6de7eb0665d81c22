// `latchkey generate-config`: the commented examples that come with the package.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export async function runGenerateConfig(options: { full: boolean }): Promise<number> {
  const name = options.full ? 'latchkey.full.yaml' : 'latchkey.minimal.yaml';
  process.stdout.write(readFileSync(join(packageFolder(), 'config', name)));
  return 0;
}

/** From dist/ in a package, from src/cli/commands/ in a checkout. */
function packageFolder(): string {
  return join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? '../../..' : '..');
}
