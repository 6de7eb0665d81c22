// What a listener calls itself: its certificate, and the Host names under which it may be asked.

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { LatchkeyError } from '../../base/errors.ts';
import { readControlledFileSync } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';
import { keyAt } from '../../base/text/key-at.ts';
import type { ListenerConfig } from '../../config/resolved.ts';
import type { HostRules } from '../http/refusal-policy.ts';

export function tlsOptionsOf(config: ListenerConfig & { kind: 'tcp' }): {
  cert: Buffer;
  key: Buffer;
  minVersion: 'TLSv1.2';
} {
  const { tls, place } = config;
  if (tls === undefined)
    throw new LatchkeyError('listener_failed', `${keyAt(place, 'tls')}: expected certificate and key`);
  return {
    cert: readTlsFile(keyAt(place, 'tls.cert_file'), tls.certFile),
    key: readTlsFile(keyAt(place, 'tls.key_file'), tls.keyFile),
    minVersion: 'TLSv1.2',
  };
}

/** Over TLS the names of the certificate are ours too; over plain TCP only the address that the config names. */
export function hostRulesOf(config: ListenerConfig): HostRules {
  if (config.kind !== 'tcp') return { isUnix: true, accepts: () => false };
  const own = config.host.toLowerCase();
  // Open to the network, it is asked for by names that nobody told us.
  if (config.isOpen && config.allowRemote) return { isUnix: false, accepts: () => true };
  if (config.tls === undefined) return { isUnix: false, accepts: (hostname) => hostname === own };
  const certificate = new X509Certificate(tlsOptionsOf(config).cert);
  return {
    isUnix: false,
    accepts: (hostname) =>
      hostname === own ||
      (isIP(hostname) === 0 ? certificate.checkHost(hostname) : certificate.checkIP(hostname)) !== undefined,
  };
}

function readTlsFile(place: string, path: string): Buffer {
  try {
    return readControlledFileSync(path).bytes;
  } catch (error) {
    const code = pathErrorText(error);
    throw new LatchkeyError('listener_failed', `${place}: cannot read ${path}: ${code}`, { cause: error });
  }
}
