// What the AWS dialect needs of an upstream: a secret by any id, as AWS gives it.
import type { AwsSecretQuery } from '../base/aws-secret-query.ts';
import { LatchkeyError } from '../base/errors.ts';
import type { JsonObject } from '../base/text/json.ts';
import type { Core } from './wire.ts';

/** Rejects as a read of this upstream does. */
export async function askAws(
  { upstreams }: Pick<Core, 'upstreams'>,
  name: string,
  query: AwsSecretQuery,
  signal: AbortSignal,
): Promise<JsonObject> {
  const source = upstreams.byName().get(name);
  if (source?.aws === undefined) {
    throw new LatchkeyError('internal', `${name} is no upstream of kind aws`, {
      remedy: 'name one under aws.upstream of the listener',
    });
  }
  return await source.aws.secretValue(query, { signal, priority: 'interactive' });
}
