// Gets the text of a file's template, from its own file or from the config, and has it parsed.
import { readFile } from 'node:fs/promises';
import { LatchkeyError } from '../base/errors.ts';
import type { FileConfig } from '../config/resolved.ts';
import { fileErrorCode } from './file-error.ts';
import type { ExecutableTemplate } from './template-consumer.ts';

/** Parses; throws `template_invalid` with the template's name, line and column. */
export type CompileTemplate = (config: FileConfig, text: string | Buffer) => Promise<ExecutableTemplate>;

/** Throws `template_invalid` when the template cannot be read or parsed. */
export async function loadTemplate(
  config: FileConfig,
  compile: CompileTemplate,
): Promise<ExecutableTemplate> {
  if (config.source.kind === 'inline') return compile(config, config.source.text);
  const { path } = config.source;
  const text = await readFile(path).catch((error: unknown) => {
    const code = fileErrorCode(error);
    throw new LatchkeyError('template_invalid', `${config.place}.template: cannot read ${path} (${code})`, {
      cause: error,
      remedy: code === 'ENOENT' ? 'correct the path' : 'let the agent read it',
    });
  });
  return compile(config, text);
}
