// The exec credential plugin of kubectl and client-go (client.authentication.k8s.io): a token, or a client certificate.
import { LatchkeyError } from '../../base/errors.ts';
import {
  carried,
  fetchSecret,
  type HelperContext,
  notInHeaders,
  requiredField,
  textField,
} from './helper-secret.ts';

const knownVersions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

export async function answerKubernetes(context: HelperContext): Promise<string> {
  const apiVersion = wantedVersion(context.env['KUBERNETES_EXEC_INFO']);
  const secret = await fetchSecret(context);
  const token = textField(secret.fields, ['token', 'service_account_token']);
  const status =
    token === undefined
      ? {
          clientCertificateData: requiredField(secret, ['certificate', 'client_certificate']),
          clientKeyData: requiredField(secret, ['private_key', 'client_key']),
        }
      : { token: carried(`kubernetes: the token of secret ${secret.name}`, token, notInHeaders) };
  const expirationTimestamp = secret.expiresAt === null ? {} : { expirationTimestamp: secret.expiresAt };
  return `${JSON.stringify({ apiVersion, kind: 'ExecCredential', status: { ...expirationTimestamp, ...status } })}\n`;
}

/** The version that the caller speaks, from $KUBERNETES_EXEC_INFO; v1 when it does not say. */
function wantedVersion(info: string | undefined): string {
  if (info === undefined) return 'client.authentication.k8s.io/v1';
  let version: unknown;
  try {
    version = (JSON.parse(info) as { apiVersion?: unknown }).apiVersion;
  } catch (error) {
    throw new LatchkeyError('usage', 'KUBERNETES_EXEC_INFO: expected JSON', { cause: error });
  }
  if (typeof version === 'string' && knownVersions.includes(version)) return version;
  throw new LatchkeyError(
    'usage',
    `KUBERNETES_EXEC_INFO: expected apiVersion ${knownVersions.join(' or ')}, got ${JSON.stringify(version)}`,
  );
}
