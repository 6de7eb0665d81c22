// The commands, their options and their help, as declarations. What a command does is in commands/, loaded when it is
// called; how the words are read is command-line.ts.
import { declareCompanions } from './declare-companions.ts';
import {
  type Define,
  flag,
  needed,
  text,
  withAuditOptions,
  withConfig,
  withJson,
  withSocket,
  words,
} from './option-groups.ts';

const secretName = 'a secret: its name, or its path as status shows it';

/** In the order of the help. */
export function declareCommands(define: Define): void {
  declareWork(define);
  declareRequests(define);
  declareControl(define);
  declareQuestions(define);
  declareChecks(define);
  declareCompanions(define);
  define(
    'man [command]',
    'print a manual page, of the program or of one command: latchkey man get | man -l -',
    (argv) =>
      argv
        .positional('command', { type: 'string', describe: 'default: the program' })
        .option('output', text('write every page into this folder')),
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
  define(
    'agent',
    'run the agent',
    (argv) => withConfig(argv).alias('config', 'c'),
    async (values) => (await import('./commands/agent.ts')).runAgent(values),
  );
  define(
    'run',
    'run one command with secrets in its environment and files: latchkey run -- CMD…',
    (argv) =>
      withConfig(argv)
        .usage('latchkey run [OPTIONS] -- CMD…\n\nrun one command with secrets in its environment and files')
        .option('socket', text('take the secrets from the agent at this socket, and write no files'))
        .option('process', text('take the environment of this process of the config'))
        .option('timeout', {
          ...text('give up after this long when the secrets do not come'),
          default: '60s',
        })
        .option(
          'watch',
          flag('stop and start the program when a value changes; the default is that it goes on'),
        ),
    async (values, rest) => (await import('./commands/run.ts')).runRun(values, rest),
  );
  define(
    'render',
    'write the files once and end',
    (argv) =>
      withConfig(argv)
        .option('once', { type: 'boolean', default: true, describe: 'the default: write, notify, end' })
        .option('diff', flag('write nothing; show what would change, secrets masked'))
        .option('exit-code', flag('with --diff: end with 6 where a file would change'))
        .option('timeout', { ...text('give up after this long'), default: '60s' }),
    async (values) => (await import('./commands/render.ts')).runRender(values),
  );
}

/** What asks an agent that runs, over its socket: what it has, and to do something now. */
function declareRequests(define: Define): void {
  define(
    'get <name> [field]',
    'print a secret, or one field of it',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', needed('a name under secrets'))
        .positional('field', { type: 'string', describe: 'default: all, as JSON' }),
    async (values) => (await import('./commands/get.ts')).runGet(values),
  );
  define(
    'status',
    'show what the agent holds, waits for and plans',
    (argv) =>
      withJson(withSocket(argv))
        .option('watch', flag('show it again every second'))
        .option('problems', flag('show only what is not well (with --json: all)')),
    async (values) => (await import('./commands/status.ts')).runStatus(values),
  );
  define(
    'refresh [names..]',
    'ask upstream now for these secrets, or for all',
    (argv) => withJson(withSocket(argv)).positional('names', words(`${secretName}; default: all`)),
    async (values) => (await import('./commands/refresh.ts')).runRefresh(values),
  );
  define(
    'rotate <names..>',
    'make another credential or certificate now, and retire the old one',
    (argv) =>
      withJson(withSocket(argv))
        .positional('names', { type: 'string', array: true, demandOption: true, describe: secretName })
        .option('revoke-now', flag('it leaked: revoke the old one as soon as its users have moved')),
    async (values) => (await import('./commands/rotate.ts')).runRotate(values),
  );
}

/** The agent as a whole. */
function declareControl(define: Define): void {
  define(
    'stop',
    'end the agent in order; the next start goes on with its leases',
    (argv) =>
      withSocket(argv).option('revoke', flag('revoke everything that it was issued: for a host that goes')),
    async (values) => (await import('./commands/stop.ts')).runStop(values),
  );
  define(
    'log-level [level]',
    'tell or change what the agent logs at least, until the next reload',
    (argv) =>
      withJson(withSocket(argv))
        .positional('level', {
          choices: ['debug', 'info', 'warn', 'error', 'config'] as const,
          describe: 'config: what the config says; default: tell what counts',
        })
        .option('for', text("for so long (10m); then the config's level counts again")),
    async (values) => (await import('./commands/log-level.ts')).runLogLevel(values),
  );
}

/** Why it is as it is, and what would become of it. */
function declareQuestions(define: Define): void {
  define(
    'explain <subject>',
    'tell what anything with a name waits for, since when and why',
    (argv) =>
      withJson(withSocket(argv)).positional(
        'subject',
        needed('a secret, file, process, upstream, listener, hook, token file or sink'),
      ),
    async (values) => (await import('./commands/explain.ts')).runExplain(values),
  );
  define(
    'who-has <name>',
    'list the callers that hold a secret: NAME or NAME@VERSION',
    (argv) => withJson(withSocket(argv)).positional('name', needed(secretName)),
    async (values) => (await import('./commands/who-has.ts')).runWhoHas(values),
  );
  define(
    'timeline [name]',
    'tell what the last rotations did, of one secret or of all, step by step',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', { type: 'string', describe: `${secretName}; default: of all` })
        .option('last', { type: 'number', requiresArg: true, default: 3, describe: 'so many rotations' }),
    async (values) => (await import('./commands/timeline.ts')).runTimeline(values),
  );
  define(
    'drill <name>',
    'rehearse a rotation, an outage or a revocation of one secret on staged copies',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', needed(secretName))
        .option('kind', {
          choices: ['rotation', 'outage', 'revocation'] as const,
          default: 'rotation' as const,
          describe: 'what happens',
        })
        .option('notify', flag('run the notify commands too')),
    async (values) => (await import('./commands/drill.ts')).runDrill(values),
  );
}

/** What looks at files alone. */
function declareChecks(define: Define): void {
  define(
    'validate',
    'check the config and every template, and report all problems',
    (argv) =>
      withJson(withConfig(argv))
        .option(
          'syntax-only',
          flag('leave out what only the host can tell: its users, groups and template files'),
        )
        .option('online', flag('log in to the upstreams too, and print the policy lines that are missing'))
        .option('timeout', { ...text('--online: give up on an upstream after this long'), default: '30s' }),
    async (values) => (await import('./commands/validate.ts')).runValidate(values),
  );
  define(
    'access test <name>',
    'explain who may read a secret, and by which rule',
    (argv) =>
      withJson(withConfig(argv))
        .positional('test', { choices: ['test'] as const, demandOption: true, describe: 'the question' })
        .positional('name', needed('a name under secrets'))
        .option('uid', { type: 'number', describe: "the caller's user, by number" })
        .option('gid', { type: 'number', describe: 'the primary group, by number' })
        .option('user', text('a user, with the groups of the account'))
        .option('group', { type: 'string', array: true, nargs: 1, describe: 'a group more; may be repeated' })
        .option('exe', text('the path of the program'))
        .option('unit', text('the unit of systemd'))
        .option('container', text('the id of the container')),
    async (values) => (await import('./commands/access.ts')).runAccessTest(values),
  );
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
