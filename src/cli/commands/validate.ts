// `latchkey validate`: the config and every template, all problems at once, nothing asked of any upstream.
import { validateParts } from '../../agent/validate.ts';
import { loadConfig } from '../../config/load.ts';

interface ValidateOptions {
  config?: string[] | undefined;
  json: boolean;
}

export async function runValidate(options: ValidateOptions): Promise<number> {
  const config = loadConfig(options.config ?? [], { checks: 'host' });
  const problems = await validateParts(config);
  if (options.json) process.stdout.write(`${JSON.stringify({ valid: problems.length === 0, problems })}\n`);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) return 2;
  const { upstreams, secrets, files, processes, listeners } = config;
  process.stderr.write(
    `valid: ${upstreams.length} upstreams, ${secrets.length} secrets, ${files.length} files, ${processes.length} processes, ${listeners.length} listeners\n`,
  );
  return 0;
}
