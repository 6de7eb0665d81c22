// Reads the files of the `tls` config into what a connection needs. When they are read again is the transport's matter.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { readControlledFile, TrustFault } from '../../base/paths/controlled-file.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';
import type { FaultOf } from '../../base/surroundings.ts';
import { nodeTls } from '../../base/system/node-tls.ts';
import type { TlsConfig } from '../../config/upstreams/server-config.ts';
import { UpstreamFailure } from '../gate/failure.ts';
import { distinctCertificates } from './distinct-certificates.ts';

export interface TlsOptions {
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized: boolean;
  readonly servername?: string;
}

/** The files that a change of makes new connections necessary. */
export function tlsFiles(config: TlsConfig): string[] {
  return [config.caFile, config.certFile, config.keyFile].filter((path) => path !== undefined);
}

/** Throws a `tls_failed` failure that names the file; certificate and key must belong together. */
export async function loadTlsOptions(config: TlsConfig, faultOf?: FaultOf): Promise<TlsOptions> {
  const { inline } = config;
  const ca = inline?.ca === undefined ? await authorities(config, faultOf) : [inline.ca];
  const cert = inline?.cert ?? (await readOptional('tls.cert_file', config.certFile, faultOf));
  const key = inline?.key ?? (await readOptional('tls.key_file', config.keyFile, faultOf));
  try {
    const secureContext = nodeTls().createSecureContext({
      ca,
      minVersion: 'TLSv1.2',
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
    });
    return {
      secureContext,
      rejectUnauthorized: !config.skipVerify,
      ...(config.serverName === undefined ? {} : { servername: config.serverName }),
    };
  } catch (error) {
    const files = tlsFiles(config).join(', ');
    throw new UpstreamFailure(
      'tls_failed',
      `certificate, key and authority cannot be used together: ${files}`,
      {
        cause: error,
        remedy: 'check that the files are PEM and that the key belongs to the certificate',
      },
    );
  }
}

/** What is configured replaces the trust store; without, the system's store counts beside the one Node ships. */
async function authorities(config: TlsConfig, faultOf: FaultOf | undefined): Promise<(string | Buffer)[]> {
  const configured: (string | Buffer)[] = [];
  const file = await readOptional('tls.ca_file', config.caFile, faultOf);
  if (file) configured.push(file);
  if (config.caPath !== undefined) configured.push(...(await readFolder(config.caPath, faultOf)));
  if (configured.length > 0) return configured;
  const { getCACertificates } = nodeTls();
  // Most are in both, and a system has its own in one file and in one for each.
  return distinctCertificates([...getCACertificates('default'), ...getCACertificates('system')]);
}

async function readFolder(path: string, faultOf: FaultOf | undefined): Promise<Buffer[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(path, entry.name));
    const contents = await Promise.all(files.map((name) => readJudged(name, faultOf)));
    return contents.filter((content) => content.includes('-----BEGIN CERTIFICATE-----'));
  } catch (error) {
    throw unreadable('tls.ca_path', path, error);
  }
}

async function readOptional(
  option: string,
  path: string | undefined,
  faultOf: FaultOf | undefined,
): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readJudged(path, faultOf);
  } catch (error) {
    throw unreadable(option, path, error);
  }
}

/** They were looked at when the config was read, which may be long ago. */
async function readJudged(path: string, faultOf: FaultOf | undefined): Promise<Buffer> {
  return (await readControlledFile(path, { faultOf, role: 'certificate' })).bytes;
}

function unreadable(option: string, path: string, error: unknown): UpstreamFailure {
  if (error instanceof TrustFault) return new UpstreamFailure('tls_failed', error.message, { cause: error });
  const code = pathErrorText(error);
  return new UpstreamFailure('tls_failed', `${option} cannot be read: ${path}: ${code}`, {
    cause: error,
    remedy: 'make the file readable for the user of the agent',
  });
}
