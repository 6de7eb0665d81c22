// The entry of the `latchkey` command. `get` runs in scripts and loops, so it is answered without loading the parser
// of all the other commands.
import { enableCompileCache } from 'node:module';

enableCompileCache();
const args = process.argv.slice(2);
if (args[0] === 'get' && !args.includes('--help')) {
  const { runGet } = await import('./cli/commands/get.ts');
  process.exitCode = await runGet(args.slice(1));
} else {
  const { runCommandLine } = await import('./cli/command-line.ts');
  process.exitCode = await runCommandLine(args);
}
