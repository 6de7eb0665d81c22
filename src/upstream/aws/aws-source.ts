// AWS as an upstream: Secrets Manager, Parameter Store and roles of STS behind one identity.
import { BoundedMap } from '../../base/bounded-map.ts';
import { LatchkeyError } from '../../base/errors.ts';
import type { Environment } from '../../base/surroundings.ts';
import type { Reference } from '../../store/reference.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import type { SecretAnswer } from '../../store/secret-version.ts';
import { regionOfProfile } from '../cloud/aws-profile.ts';
import { assumeRole } from '../cloud/aws-roles.ts';
import { findAwsCredentials, instanceRegion } from '../cloud/find-aws-credentials.ts';
import { createIdentityKeeper } from '../cloud/identity-keeper.ts';
import { createHttpCalls } from '../kind/http-calls.ts';
import { fieldsAnswer, partAnswer } from '../kind/kind-answer.ts';
import { createKindSource, type KindClient, type KindHooks } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import { type AwsService, createAwsCalls } from './aws-calls.ts';
import type { AwsUpstreamConfig } from './aws-kind.ts';
import { parseAwsPath } from './aws-path.ts';
import { type LabelEvents, startLabelEvents } from './label-events.ts';
import { createParameterStore } from './parameter-store.ts';
import { roleLeases, roleSession } from './role-session.ts';
import { createSecretsManager } from './secrets-manager.ts';

export function createAwsSource(options: SourceOptions<AwsUpstreamConfig>): SecretSource {
  return createKindSource(options, (hooks) => createAwsClient(options, hooks));
}

function createAwsClient(options: SourceOptions<AwsUpstreamConfig>, hooks: KindHooks): KindClient {
  const { config, clock } = options;
  const logger = options.logger.child({ upstream: config.name });
  const { faultOf } = options;
  const env = environmentOf(config, options.env);
  let region = config.region ?? (env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || undefined);
  const http = createHttpCalls(options);
  const knownRegion = () => region ?? 'us-east-1';
  const endpointOf = (service: AwsService) => endpoint(service, knownRegion(), config, env);
  const stsPlace = (signal: AbortSignal) => ({ region: knownRegion(), endpoint: endpointOf('sts'), signal });
  const identity = createIdentityKeeper({
    clock,
    logger,
    observer: options.observer,
    async fetch(signal) {
      const keys = await findAwsCredentials({ env, signal, faultOf });
      const { roleArn, externalId } = config;
      if (roleArn === undefined) return keys;
      return await assumeRole(keys, { roleArn, externalId }, stsPlace(signal));
    },
  });
  const calls = createAwsCalls({ http, identity, clock, region: knownRegion, endpointOf });
  const secrets = createSecretsManager(calls, clock);
  const parameters = createParameterStore(calls, clock);
  /** Names and ARNs that were seen to be one secret: to the ARN. */
  const arns = new BoundedMap<string, string>(20_000);
  const paths = new Set<string>();
  let events: LabelEvents | undefined;

  /** Looked up once; without one every answer would be that of another region. */
  async function findRegion(signal: AbortSignal): Promise<void> {
    region ??= (await regionOfProfile({ env, faultOf })) ?? (await instanceRegion({ env, signal }));
    if (region !== undefined) return;
    throw new LatchkeyError('login_failed', 'which region of AWS is meant is not known', {
      remedy: 'set region at this upstream, or $AWS_REGION',
    });
  }

  async function read(reference: Reference, request: RequestOptions): Promise<SecretAnswer> {
    const path = parseAwsPath(reference.path);
    const { version_id: versionId, version_stage: stage, tag } = reference.parameters;
    if (path.service === 'sts') {
      const keys = await identity.get(request.signal);
      return await roleSession(keys, path.roleArn, reference.parameters, stsPlace(request.signal));
    }
    if ('prefix' in path) {
      const all =
        path.service === 'ssm'
          ? parameters.readAll(path.prefix, request)
          : secrets.readAll(path.prefix, tag, request);
      return fieldsAnswer(await all, {});
    }
    if (path.service === 'ssm') {
      const { value, version, arn } = await parameters.read(path.id, request);
      noteArn(path.id, arn);
      const life = version === undefined ? {} : { versionId: version };
      return partAnswer(Buffer.from(value), path.key, reference.path, life);
    }
    const secret = await secrets.read(path.id, { versionId, stage }, request);
    noteArn(path.id, secret.arn);
    noteArn(secret.name ?? '', secret.arn);
    const life = secret.versionId === undefined ? {} : { versionId: secret.versionId };
    return partAnswer(secret.value, path.key, reference.path, life);
  }

  function noteArn(id: string, arn: string | undefined): void {
    if (arn !== undefined && id !== '') arns.set(id, arn);
  }

  return {
    address: config.endpoint ?? `AWS ${region ?? '(its region is looked up)'}`,
    budget: http.budget,
    login: () => ({
      method: 'aws',
      state: identity.current() === undefined ? 'none' : 'logged_in',
      ...endOf(identity.current()?.expiresAt),
    }),
    async connect(signal) {
      await findRegion(signal);
      await identity.get(signal);
    },
    async read(reference, request) {
      paths.add(reference.path);
      await findRegion(request.signal);
      return await read(reference, request);
    },
    aws: {
      async secretValue({ secretId, versionId, versionStage }, request) {
        await findRegion(request.signal);
        return await secrets.readValue(secretId, { versionId, stage: versionStage }, request);
      },
    },
    canonicalPath(reference) {
      const path = parseAwsPath(reference.path);
      if (!('id' in path)) return reference.path;
      return `${path.service}:${arns.get(path.id) ?? path.id}${path.key === undefined ? '' : `#${path.key}`}`;
    },
    leases: roleLeases,
    watch() {
      if (config.eventsQueue === undefined) return;
      events = startLabelEvents({
        ...options,
        logger,
        calls,
        queue: config.eventsQueue,
        onChange(names) {
          const changed = new Set(names.flatMap((name) => [name, arns.get(name) ?? name]));
          for (const path of paths) if (isOneOf(path, changed, arns)) hooks.changed(path);
        },
      });
    },
    async close() {
      await events?.close();
      await http.close();
    },
  };
}

/** A file of its own comes before all that the environment says of keys. */
function environmentOf({ profile, credentialsFile }: AwsUpstreamConfig, env: Environment): Environment {
  const named = profile === undefined ? env : { ...env, AWS_PROFILE: profile };
  if (credentialsFile === undefined) return named;
  const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _key, ...others } = named;
  return { ...others, AWS_SHARED_CREDENTIALS_FILE: credentialsFile };
}

function isOneOf(text: string, changed: ReadonlySet<string>, arns: ReadonlyMap<string, string>): boolean {
  const path = parseAwsPath(text);
  if ('prefix' in path) return [...changed].some((name) => name.startsWith(path.prefix));
  return 'id' in path && (changed.has(path.id) || changed.has(arns.get(path.id) ?? ''));
}

function endOf(expiresAt: number | undefined): { expiresAt?: number } {
  return expiresAt === undefined ? {} : { expiresAt };
}

function endpoint(service: AwsService, region: string, config: AwsUpstreamConfig, env: Environment): string {
  const variable = `AWS_ENDPOINT_URL_${service === 'secretsmanager' ? 'SECRETS_MANAGER' : service.toUpperCase()}`;
  const said = config.endpoint ?? (env[variable] || env['AWS_ENDPOINT_URL'] || undefined);
  if (said !== undefined) return `${said.replace(/\/+$/, '')}/`;
  const fips = env['AWS_USE_FIPS_ENDPOINT'] === 'true' ? '-fips' : '';
  if (env['AWS_USE_DUALSTACK_ENDPOINT'] === 'true') return `https://${service}${fips}.${region}.api.aws/`;
  return `https://${service}${fips}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/`;
}
