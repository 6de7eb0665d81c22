// The entry of the `latchkey` command. `get` runs in scripts and loops, and the agent should start fast and stay small:
// both go without the parser of all the other commands, unless their words are not plain: then it has the word.
// A default import: an older Node has no such name to import, and must get as far as the message.
import module from 'node:module';

const oldestNode = 24;
const [command, ...args] = process.argv.slice(2);

if (Number.parseInt(process.versions.node, 10) < oldestNode) {
  process.stderr.write(`latchkey: needs Node ${oldestNode} or newer, this is ${process.versions.node}\n`);
  process.exitCode = 1;
} else {
  module.enableCompileCache();
  process.exitCode = (await runLightly()) ?? (await runWithParser());
}

async function runLightly(): Promise<number | undefined> {
  if (command === 'get') return (await import('./cli/commands/get.ts')).runGetFrom(args);
  if (command === 'agent') return (await import('./cli/commands/agent.ts')).runAgentFrom(args);
  return undefined;
}

async function runWithParser(): Promise<number> {
  const { runCommandLine } = await import('./cli/command-line.ts');
  return runCommandLine(process.argv.slice(2));
}
