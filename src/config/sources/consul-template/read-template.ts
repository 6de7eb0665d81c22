// A `template` block, as consul-template and every agent that is built on it read it.
import type { Said } from '../hcl/block.ts';
import type { Record } from '../hcl/record.ts';

const templateKeys = [
  'backup',
  'command',
  'command_timeout',
  'contents',
  'create_dest_dirs',
  'destination',
  'error_on_missing_key',
  'error_fatal',
  'exec',
  'perms',
  'user',
  'uid',
  'group',
  'gid',
  'source',
  'wait',
  'left_delimiter',
  'right_delimiter',
  'function_denylist',
  'function_blacklist',
  'sandbox_path',
] as const;

export type SaidTemplate = ReturnType<typeof readTemplate>;

export function readTemplate(record: Record) {
  const keys = templateKeys.filter((key) => record.has(key));
  const exec = record.record('exec');
  const template = {
    origin: record.origin,
    /** Those that are there. */
    keys,
    source: record.text('source'),
    contents: record.text('contents'),
    destination: record.text('destination'),
    createDestDirs: record.flag('create_dest_dirs'),
    perms: record.mode('perms'),
    user: record.text('user') ?? idOf(record.integer('uid')),
    group: record.text('group') ?? idOf(record.integer('gid')),
    backup: record.flag('backup'),
    command: record.words('command'),
    commandTimeout: record.duration('command_timeout'),
    exec: exec && readExec(exec),
    errorOnMissingKey: record.flag('error_on_missing_key'),
    errorFatal: record.flag('error_fatal'),
    leftDelimiter: record.text('left_delimiter'),
    rightDelimiter: record.text('right_delimiter'),
    deniedFunctions: bothWords(record.words('function_denylist'), record.words('function_blacklist')),
    sandboxPath: record.text('sandbox_path'),
    wait: record.wait('wait'),
  };
  record.end();
  return template;
}

function idOf(said: Said<number> | undefined): Said<string> | undefined {
  return said && { ...said, value: String(said.value) };
}

export type SaidExec = ReturnType<typeof readExec>;

export function readExec(record: Record) {
  const env = record.record('env');
  const exec = {
    origin: record.origin,
    command: record.words('command'),
    enabled: record.flag('enabled'),
    killSignal: record.signal('kill_signal'),
    killTimeout: record.duration('kill_timeout'),
    reloadSignal: record.signal('reload_signal'),
    splay: record.duration('splay'),
    timeout: record.duration('timeout'),
    env: env && readExecEnv(env),
  };
  record.end();
  return exec;
}

function readExecEnv(record: Record) {
  const env = {
    origin: record.origin,
    pristine: record.flag('pristine'),
    allowed: bothWords(record.words('allowlist'), record.words('whitelist')),
    denied: bothWords(record.words('denylist'), record.words('blacklist')),
    custom: record.words('custom'),
  };
  record.end();
  return env;
}

/** Of today's name and an older one; what both say adds up. */
function bothWords(
  today: Said<readonly string[]> | undefined,
  before: Said<readonly string[]> | undefined,
): Said<readonly string[]> | undefined {
  if (today === undefined || before === undefined) return today ?? before;
  return { value: [...today.value, ...before.value], origin: today.origin };
}
