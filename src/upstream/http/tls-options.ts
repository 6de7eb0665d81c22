// Reads the files of the `tls` config into what a connection needs. When they are read again is the transport's matter.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { answersInTime, readControlledFile } from '../../base/paths/controlled-file.ts';
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
  for (const path of [...tlsFiles(config), config.caPath]) {
    if (path === undefined || faultOf === undefined) continue;
    // Of a disk that hangs the reading tells, and each try would keep another thread.
    if (!(await answersInTime(path))) break;
    // They were looked at when the config was read, which may be long ago.
    const fault = faultOf(path, 'certificate');
    if (fault !== undefined) throw new UpstreamFailure('tls_failed', fault);
  }
  const { inline } = config;
  const ca = inline?.ca === undefined ? await authorities(config) : [inline.ca];
  const cert = inline?.cert ?? (await readOptional('tls.cert_file', config.certFile));
  const key = inline?.key ?? (await readOptional('tls.key_file', config.keyFile));
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
async function authorities(config: TlsConfig): Promise<(string | Buffer)[]> {
  const configured: (string | Buffer)[] = [];
  const file = await readOptional('tls.ca_file', config.caFile);
  if (file) configured.push(file);
  if (config.caPath !== undefined) configured.push(...(await readFolder(config.caPath)));
  if (configured.length > 0) return configured;
  const { getCACertificates } = nodeTls();
  // Most are in both, and a system has its own in one file and in one for each.
  return distinctCertificates([...getCACertificates('default'), ...getCACertificates('system')]);
}

async function readFolder(path: string): Promise<Buffer[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory()).map((entry) => join(path, entry.name));
    const contents = await Promise.all(files.map(async (name) => (await readControlledFile(name)).bytes));
    return contents.filter((content) => content.includes('-----BEGIN CERTIFICATE-----'));
  } catch (error) {
    throw unreadable('tls.ca_path', path, error);
  }
}

async function readOptional(option: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return (await readControlledFile(path)).bytes;
  } catch (error) {
    throw unreadable(option, path, error);
  }
}

function unreadable(option: string, path: string, error: unknown): UpstreamFailure {
  const code = pathErrorText(error);
  return new UpstreamFailure('tls_failed', `${option} cannot be read: ${path}: ${code}`, {
    cause: error,
    remedy: 'make the file readable for the user of the agent',
  });
}
