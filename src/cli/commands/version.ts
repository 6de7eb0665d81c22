// `latchkey version`
import { version } from '../../version.ts';
import { writeOut } from '../broken-output.ts';
import { printJson } from '../output.ts';

const told = { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };

export function versionLine(): string {
  return `latchkey ${told.version} (node ${told.node}, ${told.platform})`;
}

export async function runVersion(options: { json: boolean }): Promise<number> {
  if (options.json) printJson(told);
  else writeOut(Buffer.from(`${versionLine()}\n`));
  return 0;
}
