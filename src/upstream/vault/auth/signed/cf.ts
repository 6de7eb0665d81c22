// Method `cf`: the certificate that Cloud Foundry gives each instance, and a signature by its key over time, certificate and role.
import { createPrivateKey, type KeyObject, constants as padding, sign } from 'node:crypto';
import { LatchkeyError } from '../../../../base/errors.ts';
import type { AuthConfig } from '../../config/vault-config.ts';
import type { AuthContext, AuthMethod } from '../auth-method.ts';
import { readCredential } from '../read-credential.ts';

type CfConfig = Extract<AuthConfig, { method: 'cf' }>;

const sha256Bytes = 32;

export function createCfMethod(config: CfConfig, context: AuthContext): AuthMethod {
  const { env, clock } = context;
  const certFile = config.certFile ?? env['CF_INSTANCE_CERT'];
  const keyFile = config.keyFile ?? env['CF_INSTANCE_KEY'];
  return {
    files: [certFile ?? '', keyFile ?? ''].filter((file) => file !== ''),
    async credentials() {
      const { role } = config;
      // To the byte: it is part of what is signed.
      const shown = await readCredential('auth.cert_file', named(certFile, 'cert'), context);
      const certificate = `${shown.text()}\n`;
      const path = named(keyFile, 'key');
      const key = keyOf((await readCredential('auth.key_file', path, context)).text(), path);
      const time = new Date(clock.wall()).toISOString().replace(/\.\d{3}Z$/, 'Z');
      const signature = signed(`${time}${certificate}${role}`, key);
      const body = { role, cf_instance_cert: certificate, signing_time: time, signature };
      return { kind: 'login', path: 'login', body };
    },
  };
}

function named(file: string | undefined, what: 'cert' | 'key'): string {
  if (file !== undefined && file !== '') return file;
  throw new LatchkeyError(
    'login_failed',
    `auth.method is cf, and $CF_INSTANCE_${what.toUpperCase()} is not set`,
    {
      remedy: `set it, or name the file with auth.${what}_file`,
    },
  );
}

function keyOf(text: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // What is wrong with it would be told with parts of it.
  }
  throw new LatchkeyError('login_failed', `auth.key_file: ${path} is no RSA key`, {
    remedy: 'name the key of the instance certificate, in PEM',
  });
}

/** With the longest salt that the key has room for: that is what the other side's library signs with. */
function signed(text: string, key: KeyObject): string {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 2048;
  const saltLength = Math.ceil((bits - 1) / 8) - sha256Bytes - 2;
  const options = { key, padding: padding.RSA_PKCS1_PSS_PADDING, saltLength };
  return `v1:${sign('sha256', Buffer.from(text, 'utf8'), options).toString('base64')}`;
}
