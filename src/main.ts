// The entry of the `latchkey` command. `get` runs in scripts and loops, and the agent should start fast and stay small:
// both go without the parser of all the other commands.
import { enableCompileCache } from 'node:module';

enableCompileCache();
const [command, ...args] = process.argv.slice(2);
const wantsHelp = args.includes('--help');
if (command === 'get' && !wantsHelp) {
  const { runGet } = await import('./cli/commands/get.ts');
  process.exitCode = await runGet(args);
} else if (command === 'agent' && !wantsHelp) {
  const { runAgentFrom } = await import('./cli/commands/agent.ts');
  process.exitCode = await runAgentFrom(args);
} else {
  const { runCommandLine } = await import('./cli/command-line.ts');
  process.exitCode = await runCommandLine(process.argv.slice(2));
}
