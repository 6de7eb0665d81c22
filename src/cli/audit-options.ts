// The words and options of `latchkey audit`.
import type { Argv } from 'yargs';

export function withAuditOptions<T>(argv: Argv<T>) {
  return argv
    .positional('query', { choices: ['query', 'verify'] as const, demandOption: true })
    .positional('what', { type: 'string', array: true, default: [] as string[] })
    .option('since', { type: 'string', requiresArg: true, default: '24h', describe: 'query: how far back' })
    .option('uid', { type: 'number', requiresArg: true, describe: 'query: of this user alone' })
    .option('denied', { type: 'boolean', default: false, describe: 'query: only who was refused' })
    .option('limit', { type: 'number', requiresArg: true, default: 1000, describe: 'query: the last ones' })
    .option('file', { type: 'string', array: true, nargs: 1, describe: 'query: these files' });
}
