// Docker's credential helper protocol: `docker-credential-latchkey get` with the server's address on standard input.
import { LatchkeyError } from '../../base/errors.ts';
import { fetchSecret, type HelperContext, isForHost, requiredField } from './helper-secret.ts';

/** What docker takes for "ask somebody else"; it must be exactly this, on standard output, with exit code 1. */
export const notFoundMessage = 'credentials not found in native keychain';

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
  const [Username, Secret] = [
    requiredField(secret, ['username', 'user']),
    requiredField(secret, ['password', 'token']),
  ];
  return `${JSON.stringify({ ServerURL: server, Username, Secret })}\n`;
}
