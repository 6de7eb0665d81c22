// `latchkey version`
import { version } from '../../version.ts';

const told = { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };

export function versionLine(): string {
  return `latchkey ${told.version} (node ${told.node}, ${told.platform})`;
}

export async function runVersion(options: { json: boolean }): Promise<number> {
  process.stdout.write(`${options.json ? JSON.stringify(told) : versionLine()}\n`);
  return 0;
}
