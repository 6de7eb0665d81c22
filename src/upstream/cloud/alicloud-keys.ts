// Finds keys of Alibaba Cloud: those of the environment, else of the RAM role of this instance by its metadata service.
import { LatchkeyError } from '../../base/errors.ts';
import { SecretValue } from '../../base/secret-value.ts';
import type { Environment } from '../../base/surroundings.ts';
import type { CloudKeys } from '../../config/upstreams/cloud-keys.ts';
import { metadataJson, metadataText } from './metadata-request.ts';

interface AlicloudKeySource {
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Of the instance; undefined: `$ALICLOUD_ROLE_NAME`, else the service is asked. */
  readonly roleName: string | undefined;
  readonly metadataAddress?: string | undefined;
}

const service = 'the metadata service of Alibaba Cloud';
const remedy = 'set ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY, or give this instance a RAM role';
const usualAddress = 'http://100.100.100.200';

/** Throws `login_failed`. */
export async function findAlicloudKeys(source: AlicloudKeySource): Promise<CloudKeys> {
  return fromEnvironment(source) ?? (await fromInstance(source));
}

function fromEnvironment({ env }: AlicloudKeySource): CloudKeys | undefined {
  const id = env['ALICLOUD_ACCESS_KEY'] || env['ALIBABA_CLOUD_ACCESS_KEY_ID'];
  const secret = env['ALICLOUD_SECRET_KEY'] || env['ALIBABA_CLOUD_ACCESS_KEY_SECRET'];
  const token = env['ALICLOUD_ACCESS_KEY_STS_TOKEN'] || env['ALIBABA_CLOUD_SECURITY_TOKEN'];
  if (!id || !secret) return undefined;
  return {
    id,
    secret: SecretValue.fromText(secret),
    sessionToken: token ? SecretValue.fromText(token) : undefined,
  };
}

async function fromInstance(source: AlicloudKeySource): Promise<CloudKeys> {
  const { env, signal, metadataAddress = usualAddress } = source;
  const folder = `${metadataAddress}/latest/meta-data/ram/security-credentials/`;
  const said = source.roleName ?? (env['ALICLOUD_ROLE_NAME'] || undefined);
  const role =
    said ?? (await metadataText({ service, url: folder, remedy, signal })).split('\n', 1)[0]?.trim();
  if (!role) throw new LatchkeyError('login_failed', `${service} names no RAM role`, { remedy });
  const url = `${folder}${encodeURIComponent(role)}`;
  const { AccessKeyId, AccessKeySecret, SecurityToken } = await metadataJson({
    service,
    url,
    remedy,
    signal,
  });
  if (typeof AccessKeyId !== 'string' || typeof AccessKeySecret !== 'string')
    throw new LatchkeyError('login_failed', `${service} gives no keys for the role ${role}`, { remedy });
  return {
    id: AccessKeyId,
    secret: SecretValue.fromText(AccessKeySecret),
    sessionToken: typeof SecurityToken === 'string' ? SecretValue.fromText(SecurityToken) : undefined,
  };
}
