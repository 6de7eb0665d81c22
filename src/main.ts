// The entry of the `latchkey` command. `get` runs in scripts and loops, and the agent should start fast and stay small:
// both go without the parser of all the other commands, unless their words are not plain: then it has the word.

import { takeOutAllocatorSettings } from './cli/allocator-settings.ts';

const oldestNode = 24;
const [command = '', ...args] = process.argv.slice(2);
const longLived = new Set(['agent', 'consul-template', 'dev', 'envconsul', 'run']);

if (Number.parseInt(process.versions.node, 10) < oldestNode) {
  process.stderr.write(`latchkey: needs Node ${oldestNode} or newer, this is ${process.versions.node}\n`);
  process.exitCode = 1;
} else {
  // Before anything is read that could be a secret: Node's own handler of this signal opens a debugger.
  process.on('SIGUSR1', () => undefined);
  // Before the config is read there is nothing to read again, and no reason to end.
  if (command === 'agent') process.on('SIGHUP', () => undefined);
  delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  const { closeDoors } = await import('./cli/close-doors.ts');
  process.exitCode = closeDoors(command) ?? (await run());
}

async function run(): Promise<number> {
  return (await runLightly()) ?? (await runWithParser());
}

async function runLightly(): Promise<number | undefined> {
  // One small chunk: to look for compiled code would cost as much as compiling it.
  if (command === 'get') return (await import('./cli/commands/get.ts')).runGetFrom(args);
  if (command === 'version' && args.length === 0)
    return (await import('./cli/commands/version.ts')).runVersion({ json: false });
  takeOutAllocatorSettings(process.env);
  if (longLived.has(command)) (await import('./agent/host/tune-heap.ts')).tuneHeap();
  (await import('./cli/compile-cache.ts')).useCompileCache(process.env);
  if (command === 'consul-template')
    return (await import('./cli/commands/consul-template.ts')).runConsulTemplate(args);
  if (command === 'envconsul') return (await import('./cli/commands/envconsul.ts')).runEnvconsul(args);
  if (command === 'agent') return (await import('./cli/commands/agent.ts')).runAgentFrom(args);
  return undefined;
}

async function runWithParser(): Promise<number> {
  const { runCommandLine } = await import('./cli/command-line.ts');
  return runCommandLine(process.argv.slice(2));
}
