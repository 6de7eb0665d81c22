// git's credential helper protocol (gitcredentials(7), git-credential(1)): asked at every operation, so a rotation needs
// nothing else.
import { fetchSecret, type HelperContext, isForHost, requiredField, textField } from './helper-secret.ts';

/** `get` answers or stays silent, so that git asks the next helper; `store` and `erase` are not ours to do. */
export async function answerGit(operation: string | undefined, context: HelperContext): Promise<string> {
  if (operation !== 'get') return '';
  const asked = new Map(context.input.split('\n').flatMap((line) => pairOf(line)));
  const host = asked.get('host') ?? '';
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
  // A password in the clear would be read on the way.
  if (asked.get('protocol') !== 'https' && !isLocal) return '';
  const secret = await fetchSecret(context);
  if (!isForHost(secret, context, host)) return '';
  const username = textField(secret.fields, ['username', 'user']) ?? asked.get('username') ?? 'token';
  const lines = [`username=${username}`, `password=${requiredField(secret, ['password', 'token'])}`];
  if (secret.expiresAt !== null)
    lines.push(`password_expiry_utc=${Math.floor(Date.parse(secret.expiresAt) / 1000)}`);
  return `${lines.join('\n')}\n`;
}

function pairOf(line: string): [string, string][] {
  const mark = line.indexOf('=');
  return mark < 0 ? [] : [[line.slice(0, mark), line.slice(mark + 1)]];
}
