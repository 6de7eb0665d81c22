// The commands, their options and their help, as declarations. What a command does is in commands/, loaded when it is
// called; how the words are read is command-line.ts.
import { declareCompanions } from './declare-companions.ts';
import { type Define, withAuditOptions, withConfig, withJson, withSocket } from './option-groups.ts';

/** In the order of the help. */
export function declareCommands(define: Define): void {
  declareWork(define);
  declareQuestions(define);
  declareChecks(define);
  declareCompanions(define);
  define(
    'man [command]',
    'print a manual page, of the program or of one command: latchkey man get | man -l -',
    (argv) =>
      argv.positional('command', { type: 'string' }).option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'write every page into this folder',
      }),
    async (values) => (await import('./commands/man.ts')).runMan(values, declareCommands),
  );
  define(
    'completion <shell>',
    'print completions for a shell: source <(latchkey completion bash)',
    (argv) =>
      argv.positional('shell', {
        choices: ['bash', 'zsh', 'fish', 'names'] as const,
        demandOption: true,
        describe: 'names -- WORDS: names of the running agent for what is typed, as the others ask for them',
      }),
    async ({ shell }, words) =>
      (await import('./commands/completion.ts')).runCompletion({ shell, words }, declareCommands),
  );
}

/** What works by itself, with upstreams of its own. */
function declareWork(define: Define): void {
  declareAgent(define);
  declareRun(define);
  declareRender(define);
}

function declareAgent(define: Define): void {
  define(
    'agent',
    'run the agent',
    (argv) => withConfig(argv).alias('config', 'c'),
    async (values) => (await import('./commands/agent.ts')).runAgent(values),
  );
}

function declareRun(define: Define): void {
  define(
    'run',
    'run one command with secrets in its environment and files: latchkey run -- CMD…',
    (argv) =>
      withConfig(argv)
        .usage('latchkey run [OPTIONS] -- CMD…\n\nrun one command with secrets in its environment and files')
        .option('socket', {
          type: 'string',
          requiresArg: true,
          describe: 'take the secrets from the agent at this socket, and write no files',
        })
        .option('process', {
          type: 'string',
          requiresArg: true,
          describe: 'take the environment of this process of the config',
        })
        .option('timeout', {
          type: 'string',
          requiresArg: true,
          default: '60s',
          describe: 'give up after this long when the secrets do not come',
        })
        .option('watch', {
          type: 'boolean',
          default: false,
          describe: 'stop and start the program when a value changes; the default is that it goes on',
        }),
    async (values, rest) => (await import('./commands/run.ts')).runRun(values, rest),
  );
}

function declareRender(define: Define): void {
  define(
    'render',
    'write the files once and end',
    (argv) =>
      withConfig(argv)
        .option('once', { type: 'boolean', default: true, describe: 'the default: write, notify, end' })
        .option('diff', {
          type: 'boolean',
          default: false,
          describe: 'write nothing; show what would change, secrets masked',
        })
        .option('exit-code', {
          type: 'boolean',
          default: false,
          describe: 'with --diff: end with 6 where a file would change',
        })
        .option('timeout', {
          type: 'string',
          requiresArg: true,
          default: '60s',
          describe: 'give up after this long',
        }),
    async (values) =>
      (await import('./commands/render.ts')).runRender({ ...values, exitCode: values['exit-code'] }),
  );
}

/** What asks an agent that runs, over its socket. */
function declareQuestions(define: Define): void {
  declareGet(define);
  declareStatus(define);
  declareRefresh(define);
  declareRotate(define);
  declareStop(define);
  declareLogLevel(define);
  declareExplain(define);
  declareWhoHas(define);
  declareTimeline(define);
  declareDrill(define);
}

function declareGet(define: Define): void {
  define(
    'get <name> [field]',
    'print a secret, or one field of it',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', { type: 'string', demandOption: true })
        .positional('field', { type: 'string' }),
    async (values) => (await import('./commands/get.ts')).runGet(values),
  );
}

function declareStatus(define: Define): void {
  define(
    'status',
    'show what the agent holds, waits for and plans',
    (argv) =>
      withJson(withSocket(argv))
        .option('watch', {
          type: 'boolean',
          default: false,
          describe: 'show it again every second',
        })
        .option('problems', {
          type: 'boolean',
          default: false,
          describe: 'show only what is not well (with --json: all)',
        }),
    async (values) => (await import('./commands/status.ts')).runStatus(values),
  );
}

function declareRefresh(define: Define): void {
  define(
    'refresh [names..]',
    'ask upstream now for these secrets, or for all',
    (argv) =>
      withJson(withSocket(argv)).positional('names', {
        type: 'string',
        array: true,
        default: [] as string[],
      }),
    async (values) => (await import('./commands/refresh.ts')).runRefresh(values),
  );
}

function declareRotate(define: Define): void {
  define(
    'rotate <names..>',
    'make another credential or certificate now, and retire the old one',
    (argv) =>
      withJson(withSocket(argv))
        .positional('names', { type: 'string', array: true, demandOption: true })
        .option('revoke-now', {
          type: 'boolean',
          default: false,
          describe: 'it leaked: revoke the old one as soon as its users have moved',
        }),
    async (values) =>
      (await import('./commands/rotate.ts')).runRotate({ ...values, revokeNow: values['revoke-now'] }),
  );
}

function declareStop(define: Define): void {
  define(
    'stop',
    'end the agent in order; the next start goes on with its leases',
    (argv) =>
      withSocket(argv).option('revoke', {
        type: 'boolean',
        default: false,
        describe: 'revoke everything that it was issued: for a host that goes',
      }),
    async (values) => (await import('./commands/stop.ts')).runStop(values),
  );
}

function declareLogLevel(define: Define): void {
  define(
    'log-level [level]',
    'tell or change what the agent logs at least, until the next reload',
    (argv) =>
      withJson(withSocket(argv))
        .positional('level', { choices: ['debug', 'info', 'warn', 'error', 'config'] as const })
        .option('for', {
          type: 'string',
          requiresArg: true,
          describe: "for so long (10m); then the config's level counts again",
        }),
    async (values) => (await import('./commands/log-level.ts')).runLogLevel(values),
  );
}

function declareExplain(define: Define): void {
  define(
    'explain <subject>',
    'tell what anything with a name waits for, since when and why',
    (argv) => withJson(withSocket(argv)).positional('subject', { type: 'string', demandOption: true }),
    async (values) => (await import('./commands/explain.ts')).runExplain(values),
  );
}

function declareWhoHas(define: Define): void {
  define(
    'who-has <name>',
    'list the callers that hold a secret: NAME or NAME@VERSION',
    (argv) => withJson(withSocket(argv)).positional('name', { type: 'string', demandOption: true }),
    async (values) => (await import('./commands/who-has.ts')).runWhoHas(values),
  );
}

function declareTimeline(define: Define): void {
  define(
    'timeline [name]',
    'tell what the last rotations did, of one secret or of all, step by step',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', { type: 'string' })
        .option('last', { type: 'number', requiresArg: true, default: 3, describe: 'so many rotations' }),
    async (values) => (await import('./commands/timeline.ts')).runTimeline(values),
  );
}

function declareDrill(define: Define): void {
  define(
    'drill <name>',
    'rehearse a rotation, an outage or a revocation of one secret on staged copies',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', { type: 'string', demandOption: true })
        .option('kind', {
          choices: ['rotation', 'outage', 'revocation'] as const,
          default: 'rotation' as const,
        })
        .option('notify', { type: 'boolean', default: false, describe: 'run the notify commands too' }),
    async (values) => (await import('./commands/drill.ts')).runDrill(values),
  );
}

/** What looks at files alone. */
function declareChecks(define: Define): void {
  declareValidate(define);
  declareAccessTest(define);
  declareAudit(define);
}

function declareValidate(define: Define): void {
  define(
    'validate',
    'check the config and every template, and report all problems',
    (argv) =>
      withJson(withConfig(argv))
        .option('syntax-only', {
          type: 'boolean',
          default: false,
          describe: 'leave out what only the host can tell: its users, groups and template files',
        })
        .option('online', {
          type: 'boolean',
          default: false,
          describe: 'log in to the upstreams too, and print the policy lines that are missing',
        })
        .option('timeout', {
          type: 'string',
          requiresArg: true,
          default: '30s',
          describe: '--online: give up on an upstream after this long',
        }),
    async (values) =>
      (await import('./commands/validate.ts')).runValidate({ ...values, syntaxOnly: values['syntax-only'] }),
  );
}

function declareAccessTest(define: Define): void {
  define(
    'access test <name>',
    'explain who may read a secret, and by which rule',
    (argv) =>
      withJson(withConfig(argv))
        .positional('test', { choices: ['test'] as const, demandOption: true })
        .positional('name', { type: 'string', demandOption: true })
        .option('uid', { type: 'number' })
        .option('gid', { type: 'number' })
        .option('user', { type: 'string', requiresArg: true })
        .option('group', { type: 'string', array: true, nargs: 1 })
        .option('exe', { type: 'string', requiresArg: true })
        .option('unit', { type: 'string', requiresArg: true })
        .option('container', { type: 'string', requiresArg: true }),
    async (values) => (await import('./commands/access.ts')).runAccessTest(values),
  );
}

function declareAudit(define: Define): void {
  define(
    'audit query|verify [what..]',
    "query NAME: who asked for a secret; verify [FILES]: check the audit files' hash chain",
    (argv) => withAuditOptions(withJson(withConfig(argv))),
    async ({ query: action, what, file, ...values }) => {
      if (action === 'verify') {
        return (await import('./commands/audit.ts')).runAuditVerify({ ...values, files: what });
      }
      const { runAuditQuery } = await import('./commands/audit-query.ts');
      return runAuditQuery({ ...values, names: what, files: file ?? [] });
    },
  );
}
