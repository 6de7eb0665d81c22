// What programs that the agent starts get of its own environment: where programs are, the language, the time zone. Everything
// else (a token, a notify socket) stays with the agent.

const names = ['PATH', 'HOME', 'LANG', 'LC_*', 'TZ', 'TERM'];
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** With the variables of `more`, too: `AWS_*` is all that start so. */
export function harmlessEnvironment(
  own: Readonly<NodeJS.ProcessEnv>,
  more: readonly string[] = [],
): Record<string, string> {
  const wanted = [...names, ...more];
  const environment: Record<string, string> = { PATH: defaultPath };
  for (const [name, value] of Object.entries(own)) {
    if (value !== undefined && wanted.some((pattern) => fits(name, pattern))) environment[name] = value;
  }
  return environment;
}

function fits(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
