// Gets the text of a file's template, from its own file or from the config, and has it parsed.

import { LatchkeyError } from '../base/errors.ts';
import { readControlledFile, TrustFault } from '../base/paths/controlled-file.ts';
import { pathErrorText } from '../base/paths/path-trust.ts';
import type { FaultOf } from '../base/surroundings.ts';
import { keyAt } from '../base/text/key-at.ts';
import type { FileConfig } from '../config/resolved.ts';
import type { ExecutableTemplate } from './template-consumer.ts';

const longestTemplate = 16 * 1024 * 1024;

/** Parses; throws `template_invalid` with the template's name, line and column. */
export type CompileTemplate = (config: FileConfig, text: Buffer) => Promise<ExecutableTemplate>;

/** A parsed template with what it was parsed from. */
export interface LoadedTemplate extends ExecutableTemplate {
  readonly text: Buffer;
}

/** Throws `template_invalid` when the template cannot be read or parsed. */
export async function loadTemplate(
  config: FileConfig,
  compile: CompileTemplate,
  faultOf?: FaultOf,
): Promise<LoadedTemplate> {
  const text = await readTemplate(config, faultOf);
  const { execute } = await compile(config, text);
  return { execute, text };
}

/** Its bytes as they are now; throws `template_invalid`. */
export async function readTemplate(config: FileConfig, faultOf?: FaultOf): Promise<Buffer> {
  if (config.source.kind === 'inline') return Buffer.from(config.source.text);
  const { path } = config.source;
  try {
    return (await readControlledFile(path, { maxBytes: longestTemplate, faultOf, role: 'template' })).bytes;
  } catch (error) {
    if (error instanceof TrustFault)
      throw new LatchkeyError('template_invalid', `${keyAt(config.place, 'template')}: ${error.message}`, {
        cause: error,
      });
    const why = pathErrorText(error);
    throw new LatchkeyError(
      'template_invalid',
      `${keyAt(config.place, 'template')}: cannot read ${path} (${why})`,
      {
        cause: error,
        remedy: why === 'ENOENT' ? 'correct the path' : 'let the agent read it',
      },
    );
  }
}
