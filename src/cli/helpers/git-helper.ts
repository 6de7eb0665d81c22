// git's credential helper protocol (gitcredentials(7), git-credential(1)): asked at every operation, so a rotation needs
// nothing else.
import { say } from '../output.ts';
import {
  carried,
  fetchSecret,
  type HelperContext,
  type HelperSecret,
  isForHost,
  requiredField,
  tellRefused,
  textField,
  type Uncarried,
} from './helper-secret.ts';

/**
 * `get` answers or stays silent, so that git asks the next helper; `erase` means that the server refused it; `store` is
 * not ours to do.
 */
export async function answerGit(operation: string | undefined, context: HelperContext): Promise<string> {
  if (operation !== 'get' && operation !== 'erase') return '';
  const asked = new Map(context.input.split('\n').flatMap((line) => pairOf(line)));
  const host = asked.get('host') ?? '';
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
  // A password in the clear would be read on the way.
  if (asked.get('protocol') !== 'https' && !isLocal) return '';
  const secret = await fetchSecret(context);
  if (!isForHost(secret, context, host)) return '';
  const own = textField(secret.fields, ['username', 'user']);
  const wanted = asked.get('username');
  // Another account's credential is not ours to give: git asks the next helper.
  if (own !== undefined && wanted !== undefined && wanted !== own) return '';
  if (operation === 'erase') {
    const refused = asked.get('password');
    const isOld = refused !== undefined && refused !== requiredField(secret, ['password', 'token']);
    const what = isOld
      ? `a newer one than ${host} refused is here`
      : await tellRefused(context, secret, host);
    say(`latchkey: secret ${secret.name}: ${what}`);
    return '';
  }
  const lines = [
    lineOf(secret, 'username', own ?? wanted ?? 'token'),
    lineOf(secret, 'password', requiredField(secret, ['password', 'token'])),
  ];
  if (secret.expiresAt !== null)
    lines.push(`password_expiry_utc=${Math.floor(Date.parse(secret.expiresAt) / 1000)}`);
  return `${lines.join('\n')}\n`;
}

/** A line break would begin another line of the protocol, and git would believe it (git-credential(1), INPUT/OUTPUT FORMAT). */
const notInLines: Uncarried = {
  signs: /[\0\r\n]/,
  what: 'a line break or a NUL',
  because: "git's protocol",
};

function lineOf(secret: HelperSecret, key: string, value: string): string {
  return `${key}=${carried(`git: the ${key} of secret ${secret.name}`, value, notInLines)}`;
}

function pairOf(line: string): [string, string][] {
  const mark = line.indexOf('=');
  return mark < 0 ? [] : [[line.slice(0, mark), line.slice(mark + 1)]];
}
