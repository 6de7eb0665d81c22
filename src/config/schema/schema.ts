// The shape of latchkey.yaml: one schema gives the types, the defaults, the JSON Schema for editors and the reference page.
// What needs more than one key to judge (unknown names, two things at one path) is in ../resolve.
import * as z from 'zod/mini';
import { upstreamSchema } from '../upstreams/kinds.ts';
import { byteSize, choice, doc, duration, flag, name, section, text, textList } from './fields.ts';
import { fileSchema } from './file-schema.ts';
import { hookSchema } from './hook-schema.ts';
import { processSchema } from './process-schema.ts';
import { accessRuleSchema, accessSchema, auditSchema, listenerSchema } from './serving-schema.ts';

const parameter = z.pipe(
  z.union([z.string(), z.number(), z.boolean()], 'a string, a number, true or false'),
  z.transform((value) => String(value)),
);

export const secretSchema = section({
  upstream: doc(z.optional(name()), 'A name from `upstreams`; with one upstream it need not be said.'),
  aliases: doc(
    z.prefault(textList(), []),
    'Other names that callers may ask for it by, such as `prod/db`, an ARN or `/prod/db/password`; rules know its own name.',
  ),
  path: doc(
    text(),
    'The path, as the `vault` command takes it, to the letter: the version of a KV engine is found out, a child namespace may stand before it. `?key=value` at its end goes to `parameters`, unless `parameters: {}` is written down.',
  ),
  operation: doc(
    z.prefault(choice(['read', 'write']), 'read'),
    '`write` sends the parameters as the body (`pki/issue/web`), `read` as the query.',
  ),
  parameters: doc(z.optional(z.record(text(), parameter, 'a map')), 'Parameters of the request; no secrets.'),
  refresh: doc(
    z.optional(duration()),
    'How often a secret without a lease is asked for; default 30s. Of a lease: how often it is renewed at the least, which finds out that somebody revoked it; default as its life has it. Of what is issued and tells no end: how often it is made again; default never.',
  ),
  max_stale: doc(
    z.optional(duration()),
    'How long the last value is handed out when upstream is away; default 24h, with a lease until its end.',
  ),
  on_stale: doc(
    z.prefault(choice(['expire', 'keep']), 'expire'),
    'What happens then: no longer handed out, or kept.',
  ),
  on_removed: doc(
    z.prefault(choice(['keep', 'fail']), 'keep'),
    'After upstream had it, it says that it is no longer there: the last value is kept until `max_stale`, or not handed out from then on.',
  ),
  on_denied: doc(z.prefault(choice(['keep', 'fail']), 'keep'), 'The same when upstream denies it.'),
  overlap: doc(
    z.prefault(duration(), '30s'),
    'The old credential lives this long after all consumers have moved.',
  ),
  on_exit: doc(
    z.prefault(choice(['keep', 'revoke']), 'keep'),
    'What happens to its lease when the agent ends: kept, for the next start to go on with, or revoked; `latchkey run` revokes its own at its end.',
  ),
  required: doc(z.prefault(flag(), true), 'The agent is ready only when it has a value.'),
});

export const logSchema = section({
  level: doc(z.prefault(choice(['debug', 'info', 'warn', 'error']), 'info'), 'The least that is logged.'),
  format: doc(
    z.optional(choice(['json', 'text'])),
    'For programs or for people; default: text on a terminal and for the journal, else json.',
  ),
  file: doc(z.optional(text()), 'Opened again on HUP; default: stderr.'),
});

export const telemetrySchema = section({
  otlp: doc(
    z.optional(
      section({
        url: doc(
          z
            .string('an address')
            .check(z.regex(/^https?:\/\/\S+$/, 'an address such as http://127.0.0.1:4318/v1/metrics')),
          'Where metrics are sent, as JSON of OTLP over HTTP: the whole address, /v1/metrics included.',
        ),
        interval: doc(z.prefault(duration(), '60s'), 'How often.'),
        headers: doc(
          z.prefault(z.record(z.string('a name'), text(), 'a map of headers'), {}),
          'Sent along, for collectors that ask for them.',
        ),
      }),
    ),
    'A collector that takes the metrics; absent: they are there to be asked for alone.',
  ),
});

const variableName = z
  .string('a name of a variable')
  .check(z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name of a variable'));

export const templateSchema = section({
  refresh: doc(
    z.prefault(duration(), '30s'),
    'How often a secret without a lease is asked for that a template names by its path, not by a name of `secrets`.',
  ),
  env: doc(
    z.prefault(z.record(variableName, z.string('a string'), 'a map of variables'), {}),
    "What `env` in templates sees beside the agent's own environment, and before it.",
  ),
  pass_environment: doc(
    z.prefault(flag(), false),
    'Give the commands of files the whole environment of the agent and `env`, not PATH, HOME, LANG, LC_*, TZ and TERM alone.',
  ),
  sandbox_paths: doc(
    z.prefault(textList(), []),
    'Folders that `file` may read and `writeToFile` may write; with none both are refused.',
  ),
  allow_plugin: doc(z.prefault(flag(), false), 'Templates may run programs by `plugin`.'),
  deny_functions: doc(z.prefault(textList(), []), 'Functions that templates may not use.'),
  max_output: doc(z.prefault(byteSize(), '16MiB'), 'The most that one template may give.'),
});

export const agentSchema = section({
  pid_file: doc(z.optional(text()), 'Holds the pid of the agent while it runs.'),
  exit_after_auth: doc(
    z.prefault(flag(), false),
    'End with 0 once the token is in every sink and every file is written.',
  ),
  give_up_after: doc(
    z.optional(duration()),
    'End with 1 when a file could not be made for so long; default: never, it is tried again.',
  ),
  main_process: doc(
    z.optional(name()),
    'The name from `processes` whose end is the end of the agent, with its exit code.',
  ),
});

/** Each top-level key, and how its values are told apart: maps by name, lists, and single sections. */
export const rootSchema = section({
  upstreams: doc(
    z.optional(z.record(name(), upstreamSchema)),
    'Where secrets come from, by any name. With none and `$VAULT_ADDR` set there is one, `vault`.',
  ),
  secrets: doc(z.optional(z.record(name(), secretSchema)), 'Local names for secrets.'),
  files: doc(z.optional(z.array(fileSchema)), 'Files that are rendered from templates.'),
  processes: doc(z.optional(z.array(processSchema)), 'Programs that the agent starts.'),
  listeners: doc(z.optional(z.array(listenerSchema)), 'Sockets that serve secrets to programs on this host.'),
  hooks: doc(
    z.optional(z.record(name(), hookSchema)),
    'Messages from outside, at `POST /hooks/NAME`, that a secret has changed; each only makes upstream be asked.',
  ),
  access: doc(
    z.optional(z.union([z.array(accessRuleSchema), accessSchema])),
    "Who may have what: a list of rules, or a map of `strict` and `rules`. With no rules: root and the agent's own user.",
  ),
  audit: doc(z.optional(auditSchema), 'What is recorded; absent: nothing.'),
  log: doc(z.optional(logSchema), 'The log of the agent.'),
  telemetry: doc(z.optional(telemetrySchema), 'Where the metrics of the agent are sent.'),
  template: doc(z.optional(templateSchema), 'What templates may do.'),
  strict_modes: doc(
    z.optional(flag()),
    'Config, templates, programs, credentials and state that others can change, or credentials that all can read, are errors (default); with false warnings. It does not count in a file that others can write.',
  ),
  agent: doc(z.optional(agentSchema), 'How the agent itself begins and ends.'),
  state_dir: doc(
    z.optional(text()),
    'A folder for what must survive a restart (lease ids, no secrets); default `$STATE_DIRECTORY`, else /var/lib/latchkey.',
  ),
});

export type SecretInput = z.output<typeof secretSchema>;
