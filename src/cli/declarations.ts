// The commands, their options and their help, as declarations. What a command does is in commands/, loaded when it is
// called; how the words are read is command-line.ts.
import type { ArgumentsCamelCase, Argv } from 'yargs';

/** `command` is `NAME <needed> [optional]`; `run` gives the exit code. */
export type Define = <T>(
  command: string,
  describe: string,
  builder: (argv: Argv) => Argv<T>,
  /** `rest`: the words after `--`, as they came. */
  run: (values: ArgumentsCamelCase<T>, rest: readonly string[]) => Promise<number>,
) => void;

/** In the order of the help. */
export function declareCommands(define: Define): void {
  declareWork(define);
  declareQuestions(define);
  declareChecks(define);
  declareCompanions(define);
}

/** What works by itself, with upstreams of its own. */
function declareWork(define: Define): void {
  define(
    'agent',
    'run the agent',
    (argv) => withConfig(argv),
    async (values) => (await import('./commands/agent.ts')).runAgent(values),
  );
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
        .option('timeout', {
          type: 'string',
          requiresArg: true,
          default: '60s',
          describe: 'give up after this long',
        }),
    async (values) => (await import('./commands/render.ts')).runRender(values),
  );
}

/** What asks an agent that runs, over its socket. */
function declareQuestions(define: Define): void {
  define(
    'get <name> [field]',
    'print a secret, or one field of it',
    (argv) =>
      withJson(withSocket(argv))
        .positional('name', { type: 'string', demandOption: true })
        .positional('field', { type: 'string' }),
    async (values) => (await import('./commands/get.ts')).runGet(values),
  );
  define(
    'status',
    'show what the agent holds, waits for and plans',
    (argv) =>
      withJson(withSocket(argv)).option('watch', {
        type: 'boolean',
        default: false,
        describe: 'show it again every second',
      }),
    async (values) => (await import('./commands/status.ts')).runStatus(values),
  );
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
  define(
    'explain <subject>',
    'tell what a secret or a file waits for, since when and why',
    (argv) => withJson(withSocket(argv)).positional('subject', { type: 'string', demandOption: true }),
    async (values) => (await import('./commands/explain.ts')).runExplain(values),
  );
  define(
    'who-has <name>',
    'list the callers that hold a secret: NAME or NAME@VERSION',
    (argv) => withJson(withSocket(argv)).positional('name', { type: 'string', demandOption: true }),
    async (values) => (await import('./commands/who-has.ts')).runWhoHas(values),
  );
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
  define(
    'audit verify [files..]',
    "check the audit files' hash chain",
    (argv) =>
      withJson(withConfig(argv))
        .positional('verify', { choices: ['verify'] as const, demandOption: true })
        .positional('files', { type: 'string', array: true, default: [] as string[] }),
    async (values) => (await import('./commands/audit.ts')).runAuditVerify(values),
  );
}

/** What is beside the agent. */
function declareCompanions(define: Define): void {
  define(
    'migrate <files..>',
    'print what the files of another tool are in latchkey.yaml',
    (argv) =>
      argv
        .positional('files', { type: 'string', array: true, default: [] as string[] })
        .option('from', {
          choices: ['vault-agent', 'consul-template', 'envconsul', 'aws-agent'] as const,
          describe: 'whose files they are; found out by default',
        })
        .option('check', {
          type: 'boolean',
          default: false,
          describe: 'read both again, and show that they mean the same',
        })
        .option('output', { type: 'string', requiresArg: true, describe: 'write it to this new file' }),
    async (values) => (await import('./commands/migrate.ts')).runMigrate(values),
  );
  // Their words are those of other tools, and are read without this parser (main.ts); here they have their place in the help.
  define(
    'consul-template [options..]',
    'render templates by the command line of consul-template',
    (argv) => argv.positional('options', { type: 'string', array: true, default: [] as string[] }),
    async (values) => (await import('./commands/consul-template.ts')).runConsulTemplate(values.options),
  );
  define(
    'envconsul [options..]',
    'run a program with secrets as variables by the command line of envconsul',
    (argv) => argv.positional('options', { type: 'string', array: true, default: [] as string[] }),
    async (values) => (await import('./commands/envconsul.ts')).runEnvconsul(values.options),
  );
  define(
    'dev',
    'run the embedded development vault (in memory, never for production)',
    (argv) =>
      argv
        .option('listen', { type: 'string', requiresArg: true, default: '127.0.0.1:8200' })
        .option('root-token', { type: 'string', requiresArg: true })
        .option('seed', {
          type: 'string',
          requiresArg: true,
          describe: 'YAML with mounts, policies, roles and secrets',
        }),
    async (values) => (await import('./commands/dev.ts')).runDev(values),
  );
  define(
    'demo',
    'show a rotation reaching four legacy services without a deployment',
    (argv) => argv.option('once', { type: 'boolean', default: false, describe: 'rotate once and end' }),
    async (values) => (await import('./commands/demo.ts')).runDemo(values),
  );
  define(
    'helper <kind> [operation]',
    'answer a credential helper protocol: git, docker, aws, kubernetes',
    (argv) =>
      withSocket(argv)
        .positional('kind', { choices: ['git', 'docker', 'aws', 'kubernetes'] as const, demandOption: true })
        .positional('operation', {
          type: 'string',
          describe: 'git and docker: get, store, erase; aws and kubernetes: the secret',
        })
        .option('secret', {
          type: 'string',
          requiresArg: true,
          describe: 'the name of the secret to answer with',
        })
        .option('host', {
          type: 'string',
          requiresArg: true,
          describe: 'the host that the credential is for, if the secret does not say',
        }),
    async (values) => (await import('./commands/helper.ts')).runHelper(values),
  );
  define(
    'file <action> <file> [what]',
    'keep secrets in a sealed file: make it, set, edit, import, list, give it another key',
    (argv) =>
      withJson(argv)
        .positional('action', {
          choices: ['init', 'set', 'edit', 'import', 'list', 'rotate-key'] as const,
          demandOption: true,
        })
        .positional('file', {
          type: 'string',
          demandOption: true,
          describe: 'NAME.env.age, .yaml.age or .json.age',
        })
        .positional('what', { type: 'string', describe: 'set: the secret; import: the plain file' })
        .option('key-file', {
          type: 'string',
          requiresArg: true,
          describe: 'the age key file; default FILE.key',
        })
        .option('credential', {
          type: 'string',
          requiresArg: true,
          describe: 'the key as a credential of systemd',
        })
        .option('passphrase-file', {
          type: 'string',
          requiresArg: true,
          describe: 'the file with the passphrase',
        })
        .option('passphrase', { type: 'boolean', default: false, describe: 'ask for the passphrase' })
        .option('new-key-file', {
          type: 'string',
          requiresArg: true,
          describe: 'rotate-key: seal for this key',
        })
        .option('new-passphrase', {
          type: 'boolean',
          default: false,
          describe: 'rotate-key: ask for another one',
        })
        .option('owner', {
          type: 'string',
          requiresArg: true,
          describe: "init: the agent's user, who reads both files",
        })
        .option('at', { type: 'string', requiresArg: true, describe: 'import: below this name' })
        .option('remove', {
          type: 'boolean',
          default: false,
          describe: 'import: overwrite and remove the plain file afterwards',
        }),
    async (values) =>
      (await import('./commands/file.ts')).runFile({
        action: values.action,
        file: values.file,
        what: values.what,
        keyFile: values['key-file'],
        credential: values.credential,
        passphraseFile: values['passphrase-file'],
        passphrase: values.passphrase,
        newKeyFile: values['new-key-file'],
        newPassphrase: values['new-passphrase'],
        owner: values.owner,
        at: values.at,
        remove: values.remove,
        json: values.json,
      }),
  );
  define(
    'generate-config',
    'print a commented config to start from',
    (argv) => argv.option('full', { type: 'boolean', default: false, describe: 'with every key' }),
    async (values) => (await import('./commands/generate-config.ts')).runGenerateConfig(values),
  );
  define(
    'version',
    'print the version',
    (argv) => withJson(argv),
    async (values) => (await import('./commands/version.ts')).runVersion(values),
  );
}

function withConfig<T>(argv: Argv<T>) {
  return argv.option('config', {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'config file or folder; may be repeated',
  });
}

function withSocket<T>(argv: Argv<T>) {
  return withConfig(argv).option('socket', {
    type: 'string',
    requiresArg: true,
    describe: "the agent's socket; default $LATCHKEY_SOCKET",
  });
}

function withJson<T>(argv: Argv<T>) {
  return argv.option('json', { type: 'boolean', default: false, describe: 'print JSON' });
}
