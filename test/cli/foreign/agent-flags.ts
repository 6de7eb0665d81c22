// Vault Agent's own command line: which words are its, and that they count before the environment and the files.
import { join } from 'node:path';
import t from 'tap';
import { parseAgentFlags } from '../../../src/cli/foreign/agent-flags.ts';
import { loadConfig } from '../../../src/config/load.ts';

const agent = `vault { address = "https://file.example" }
log_level = "error"
auto_auth { method "token_file" { config = { token_file_path = "/t" } } sink "file" { config = { path = "/s" } } }
`;

t.test('leaves the words that are our own to our own parser', async (t) => {
  for (const words of [[], ['--config', 'a.hcl'], ['--config=a.yaml'], ['--help'], ['-h']])
    t.equal(parseAgentFlags(words, {}), undefined, words.join(' '));
});

t.test('reads of a folder what their command reads', async (t) => {
  const names = { 'b.json': '', '.a.hcl': '', 'c.hcl~': '', '.#d.hcl': '', 'e.hcl.bak': '', 'f.hcl': {} };
  const folder = t.testdir({ odd: names, empty: { 'own.yaml': '' } });
  const odd = join(folder, 'odd');
  t.same(parseAgentFlags(['-config', odd], {})?.config, [join(odd, '.a.hcl'), join(odd, 'b.json')]);
  const empty = join(folder, 'empty');
  t.same(parseAgentFlags(['-config', empty], {})?.config, [empty], 'which is told of');
});

t.test('takes files and folders, and what counts before all that they say', async (t) => {
  const folder = t.testdir({ 'agent.hcl': agent, 'own.yaml': 'log: { level: info }\n' });
  const file = join(folder, 'agent.hcl');
  const read = (words: readonly string[], env: Record<string, string> = {}) => {
    const flags = parseAgentFlags(words, env);
    return loadConfig(flags?.config ?? [], { env, checks: 'text', ...flags?.load });
  };
  const both = ['-config', file, `-config=${folder}`];
  t.same(parseAgentFlags(both, {}), { config: [file, file], load: {} }, 'of a folder what is theirs');
  const env = { VAULT_ADDR: 'https://environment.example', BAO_LOG_LEVEL: 'info' };
  t.match(read(['-config', file], env), {
    upstreams: [{ addresses: ['https://environment.example'] }],
    log: { level: 'info', format: 'text' },
  });
  const words = [
    '-config',
    file,
    '-exit-after-auth',
    '-log-level=debug',
    '--log-format',
    'json',
    '-log-file',
    '/l',
  ];
  t.match(read([...words, '-address=https://flag.example', '-ns=team', '-tls-skip-verify'], env), {
    upstreams: [{ addresses: ['https://flag.example'], namespace: 'team', tls: { skipVerify: true } }],
    log: { level: 'debug', format: 'json', file: '/l' },
    life: { exitAfterAuth: true },
  });
  t.throws(() => read(['-config', join(folder, 'own.yaml'), '-log-level=debug']), {
    message: 'command line: these options are for files of Vault Agent; say it in the config',
  });
  t.throws(() => read(['-config', file, '-log-levl=debug']), {
    code: 'usage',
    message: /-log-levl: unknown option; did you mean -log-level\?/,
  });
});
