// The commands beside the agent, and what they take; the others are in declarations.ts.
import type { Argv } from 'yargs';
import { type Define, flag, needed, text, withJson, withSocket, words } from './option-groups.ts';

/** What is beside the agent. */
export function declareCompanions(define: Define): void {
  declareMigration(define);
  declareTrials(define);
  declareFile(define);
  define(
    'generate-config',
    'print a commented config to start from',
    (argv) => argv.option('full', flag('with every key')),
    async (values) => (await import('./commands/generate-config.ts')).runGenerateConfig(values),
  );
  define(
    'version',
    'print the version',
    (argv) => withJson(argv),
    async (values) => (await import('./commands/version.ts')).runVersion(values),
  );
}

/** For who comes from other tools. */
function declareMigration(define: Define): void {
  define(
    'migrate <files..>',
    'print what the files of another tool are in latchkey.yaml',
    (argv) =>
      argv
        .positional('files', words('files or folders'))
        .option('from', {
          choices: ['vault-agent', 'consul-template', 'envconsul', 'aws-agent'] as const,
          describe: 'whose files they are; found out by default',
        })
        .option('check', flag('read both again, and show that they mean the same'))
        .option('output', text('write it to this new file')),
    async (values) => (await import('./commands/migrate.ts')).runMigrate(values),
  );
  // Their words are those of the tools, and are read without this parser (main.ts); here they have their place in the help.
  define(
    'consul-template [options..]',
    'render templates by the command line of consul-template',
    (argv) => argv.positional('options', words('as there')),
    async (values) => (await import('./commands/consul-template.ts')).runConsulTemplate(values.options),
  );
  define(
    'envconsul [options..]',
    'run a program with secrets as variables by the command line of envconsul',
    (argv) => argv.positional('options', words('as there')),
    async (values) => (await import('./commands/envconsul.ts')).runEnvconsul(values.options),
  );
}

/** What shows and tries it, and answers for it in other protocols. */
function declareTrials(define: Define): void {
  define(
    'dev',
    'run the embedded development vault (in memory, never for production)',
    (argv) =>
      argv
        .option('listen', { ...text('address and port'), default: '127.0.0.1:8200' })
        .option('root-token', text('default: made up, and printed'))
        .option('seed', text('YAML with mounts, policies, roles and secrets')),
    async (values) => (await import('./commands/dev.ts')).runDev(values),
  );
  define(
    'ui',
    "show the host's status as a page in the browser, for the user who runs this alone",
    (argv) =>
      withSocket(argv)
        .option('port', {
          type: 'number',
          requiresArg: true,
          default: 0,
          describe: 'of loopback; default: any',
        })
        .option('open', {
          type: 'boolean',
          default: true,
          describe: 'open the browser where there is a desktop; --no-open prints the link alone',
        }),
    async (values) => (await import('./commands/ui.ts')).runUi(values),
  );
  define(
    'demo',
    'show on a page how a new key reaches four legacy services, with a deployment and without',
    (argv) =>
      argv.option('once', flag('rotate once on the terminal and end')).option('open', {
        type: 'boolean',
        default: true,
        describe: 'open the page where there is a desktop',
      }),
    async (values) => (await import('./commands/demo.ts')).runDemo(values),
  );
  define(
    'helper <kind> [operation]',
    'answer a credential helper protocol: git, docker, aws, kubernetes',
    (argv) =>
      withSocket(argv)
        .positional('kind', {
          choices: ['git', 'docker', 'aws', 'kubernetes'] as const,
          demandOption: true,
          describe: 'who asks',
        })
        .positional('operation', {
          type: 'string',
          describe: 'git and docker: get, store, erase; aws and kubernetes: the secret',
        })
        .option('secret', text('the name of the secret to answer with'))
        .option('host', text('the host that the credential is for, if the secret does not say')),
    async (values) => (await import('./commands/helper.ts')).runHelper(values),
  );
}

function declareFile(define: Define): void {
  define(
    'file <action> <file> [what]',
    'keep secrets in a sealed file: make it, set, edit, import, list, give it another key',
    (argv) =>
      withKeys(withJson(argv))
        .positional('action', {
          choices: ['init', 'set', 'edit', 'import', 'list', 'rotate-key'] as const,
          demandOption: true,
          describe: 'what is done with it',
        })
        .positional('file', needed('NAME.env.age, .yaml.age or .json.age'))
        .positional('what', { type: 'string', describe: 'set: the secret; import: the plain file' })
        .option('owner', text("init: the agent's user, who reads both files"))
        .option('at', text('import: below this name'))
        .option('remove', flag('import: overwrite and remove the plain file afterwards')),
    async (values) => (await import('./commands/file.ts')).runFile(values),
  );
}

/** What opens a sealed file, and what is to open it from now on. */
function withKeys<T>(argv: Argv<T>) {
  return argv
    .option('key-file', text('the age key file; default FILE.key'))
    .option('credential', text('the key as a credential of systemd'))
    .option('passphrase-file', text('the file with the passphrase'))
    .option('passphrase', flag('ask for the passphrase'))
    .option('new-key-file', text('rotate-key: seal for this key'))
    .option('new-passphrase', flag('rotate-key: ask for another one'));
}
