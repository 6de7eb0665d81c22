// `latchkey version`
import { version } from '../../version.ts';

export async function runVersion(options: { json: boolean }): Promise<number> {
  const told = { version, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  process.stdout.write(
    options.json
      ? `${JSON.stringify(told)}\n`
      : `latchkey ${told.version} (node ${told.node}, ${told.platform})\n`,
  );
  return 0;
}
