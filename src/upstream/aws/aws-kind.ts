// AWS as an upstream (Secrets Manager, Parameter Store, STS): the keys of `kind: aws`, and what they mean resolved.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import type { Place } from '../../config/problems.ts';
import { doc, section, text } from '../../config/schema/fields.ts';
import type { KindContext } from '../../config/upstreams/kind-context.ts';
import type { LimitsConfig } from '../../config/upstreams/limits.ts';
import { resolveServer } from '../../config/upstreams/server-resolve.ts';
import { budgetSchema, serverSchema } from '../../config/upstreams/server-schema.ts';
import { parseAwsPath } from './aws-path.ts';

const awsSchema = section({
  kind: doc(z.literal('aws'), 'AWS Secrets Manager, Systems Manager Parameter Store, and roles of STS.'),
  region: doc(
    z.optional(text()),
    'Default `$AWS_REGION`, `$AWS_DEFAULT_REGION`, that of the profile, else that of the instance.',
  ),
  profile: doc(z.optional(text()), 'A profile of the shared files; default `$AWS_PROFILE`, else `default`.'),
  credentials_file: doc(
    z.optional(text()),
    'A file of credentials in the form of the shared one, in place of it and of keys in the environment.',
  ),
  role_arn: doc(z.optional(text()), 'A role to take for all requests, with the credentials that are found.'),
  external_id: doc(z.optional(text()), 'What that role wants to be told.'),
  endpoint: doc(
    z.optional(text()),
    'Another address for all services: an interface endpoint, an emulator; default `$AWS_ENDPOINT_URL`, else that of AWS.',
  ),
  events_queue: doc(
    z.optional(text()),
    'The URL of an SQS queue that EventBridge sends changes to; one queue for each host.',
  ),
  ...serverSchema,
  // Half of what Parameter Store allows to all of an account together.
  budget: budgetSchema(20),
});

/** Of an account in a region, by default. Parameters cost nothing, secrets do. */
const known: LimitsConfig = {
  limits: [
    { meter: 'ssm', most: 40, perMs: 1000, from: 'service' },
    { meter: 'secretsmanager', most: 10_000, perMs: 1000, from: 'service' },
  ],
  priceOfTenThousand: 0.05,
};

export type AwsUpstreamConfig = ReturnType<typeof resolveAws>;

function resolveAws({ name, place, value }: Named<z.output<typeof awsSchema>>, context: KindContext) {
  checkUrl(value.endpoint, place.at('endpoint'), context);
  checkUrl(value.events_queue, place.at('events_queue'), context);
  if (value.external_id !== undefined && value.role_arn === undefined) {
    context.problems.add(place.at('external_id'), 'needs role_arn, the role that wants it');
  }
  return {
    name,
    kind: 'aws' as const,
    region: value.region,
    profile: value.profile,
    credentialsFile: context.optionalPathAt(place, value.credentials_file),
    roleArn: value.role_arn,
    externalId: value.external_id,
    endpoint: value.endpoint,
    eventsQueue: value.events_queue,
    ...resolveServer(value, place, context, known),
  };
}

function checkUrl(said: string | undefined, place: Place, { problems }: KindContext): void {
  const url = said === undefined ? undefined : URL.parse(said);
  if (url === null || (url !== undefined && !/^https?:$/.test(url.protocol))) {
    problems.add(place, 'expected a URL that starts with https:// or http://');
  }
}

export const aws = {
  schema: awsSchema,
  resolve: resolveAws,
  refreshMs: 300_000,
  checkPath: parseAwsPath,
  load: async () => (await import('./aws-source.ts')).createAwsSource,
};
