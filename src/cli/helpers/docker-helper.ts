// Docker's credential helper protocol: `docker-credential-latchkey get` with the server's address on standard input.
import { LatchkeyError } from '../../base/errors.ts';
import {
  carried,
  fetchSecret,
  type HelperContext,
  isForHost,
  notInHeaders,
  requiredField,
  type Uncarried,
} from './helper-secret.ts';

/** What docker takes for "ask somebody else"; it must be exactly this, on standard output, with exit code 1. */
export const notFoundMessage = 'credentials not found in native keychain';

/** docker shows both to the registry as Basic (RFC 7617, 2): no control characters, and the first colon ends the name. */
const notInBasic: Uncarried = { ...notInHeaders, because: 'the login at a registry' };
const notInUserName: Uncarried = {
  signs: /[\0-\x1f\x7f:]/,
  what: 'a colon or a control character',
  because: 'the login at a registry',
};

/** The answer, or undefined for a miss. */
export async function answerDocker(
  operation: string | undefined,
  context: HelperContext,
): Promise<string | undefined> {
  if (operation === 'list') {
    const secret = await fetchSecret(context);
    return `${JSON.stringify({ [context.host ?? requiredField(secret, ['host', 'server', 'url'])]: requiredField(secret, ['username']) })}\n`;
  }
  if (operation !== 'get') {
    throw new LatchkeyError(
      'denied',
      `helper docker: ${operation ?? 'no operation'}: credentials come from the vault, docker cannot change them`,
    );
  }
  const server = context.input.trim();
  const secret = await fetchSecret(context);
  if (!isForHost(secret, context, server)) return undefined;
  const place = (what: string) => `docker: the ${what} of secret ${secret.name}`;
  const Username = carried(place('username'), requiredField(secret, ['username', 'user']), notInUserName);
  const Secret = carried(place('password'), requiredField(secret, ['password', 'token']), notInBasic);
  return `${JSON.stringify({ ServerURL: server, Username, Secret })}\n`;
}
