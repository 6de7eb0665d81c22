// What programs that the agent starts get of its own environment: where programs are, the language, the time zone. Everything
// else (a token, a notify socket) stays with the agent.

const names = ['PATH', 'HOME', 'LANG', 'LC_*', 'TZ', 'TERM'];
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** With the variables of `more`, too: `AWS_*` is all that start so; and without those that `!VAULT_*` names. */
export function harmlessEnvironment(
  own: Readonly<NodeJS.ProcessEnv>,
  more: readonly string[] = [],
): Record<string, string> {
  const wanted = [...names, ...more.filter((pattern) => !pattern.startsWith('!'))].map(matcherOf);
  const unwanted = more
    .filter((pattern) => pattern.startsWith('!'))
    .map((pattern) => matcherOf(pattern.slice(1)));
  const environment: Record<string, string> = { PATH: defaultPath };
  for (const [name, value] of Object.entries(own)) {
    const isWanted = wanted.some((fits) => fits(name)) && !unwanted.some((fits) => fits(name));
    if (value !== undefined && isWanted) environment[name] = value;
  }
  return environment;
}

const ownVariables = [
  'VAULT_*',
  'BAO_*',
  'OP_*',
  'NOTIFY_SOCKET',
  'WATCHDOG_*',
  'LISTEN_*',
  'CREDENTIALS_DIRECTORY',
];

/** For programs that other tools' files name, and those tools give all of theirs: the rest, without what is the agent's own. */
export function environmentOfOthers(own: Readonly<NodeJS.ProcessEnv>): Record<string, string> {
  return harmlessEnvironment(own, ['*', ...ownVariables.map((name) => `!${name}`)]);
}

/** `*`, `?` and `[a-z]` as in names of files. */
function matcherOf(pattern: string): (name: string) => boolean {
  if (!/[*?[\\]/.test(pattern)) return (name) => name === pattern;
  const source = pattern.replace(/\\.|\[[^\]]+\]|[\s\S]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.length > 1 ? part : part.replace(/[$()*+.?[\\\]^{|}]/, '\\$&');
  });
  try {
    const whole = new RegExp(`^(?:${source})$`, 's');
    return (name) => whole.test(name);
  } catch {
    // A range the wrong way round: nothing is meant by it.
    return () => false;
  }
}
