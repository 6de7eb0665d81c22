// A command line of this program, parsed and not run.
import yargs from 'yargs';
import { declareCommands } from '../../src/cli/declarations.ts';

/** The name of the command that takes these words; rejects with what is wrong with them. What follows `--` is not its own. */
export async function commandThatTakes(words: readonly string[]): Promise<string | undefined> {
  let taken: string | undefined;
  const parser = yargs()
    .parserConfiguration({ 'parse-numbers': false, 'parse-positional-numbers': false })
    .strict()
    .demandCommand(1)
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new Error(message);
    });
  declareCommands((signature, describe, builder) => {
    parser.command(signature, describe, builder, () => {
      taken = signature.split(' ')[0];
    });
  });
  const mark = words.indexOf('--');
  await parser.parseAsync(mark < 0 ? words : words.slice(0, mark));
  return taken;
}
