// `latchkey helper`: speaks the credential helper protocols of git, docker, the AWS tools and kubectl.
import { LatchkeyError } from '../../base/errors.ts';

export async function runHelper(_options: object): Promise<number> {
  throw new LatchkeyError('usage', 'helper: not here yet');
}
