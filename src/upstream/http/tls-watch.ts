// Watches the TLS files of an upstream, so that renewed certificates are used without a restart.
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { createFileWatch, type FileWatch } from '../../base/paths/file-watch.ts';
import type { TlsConfig } from '../../config/upstreams/server-config.ts';
import { tlsFiles } from './tls-options.ts';

export interface TlsWatch {
  start(): void;
  close(): void;
}

export interface TlsWatchOptions {
  /** Without addresses: some of them may be https. */
  readonly config: { readonly tls: TlsConfig; readonly addresses?: readonly string[] };
  readonly logger: Logger;
  /** Takes the new files; throws while they cannot be used. */
  readonly onChange: () => Promise<void>;
}

export function createTlsWatch({ config, logger, onChange }: TlsWatchOptions): TlsWatch {
  let watch: FileWatch | undefined;

  async function take(paths: readonly string[]): Promise<void> {
    try {
      await onChange();
      logger.info({ paths }, 'the TLS files have changed and are used');
    } catch (error) {
      // Often the moment between two files that are written one after the other.
      logger.warn(
        { paths, error: describeError(error) },
        'the changed TLS files cannot be used, the old ones stay',
      );
    }
  }

  return {
    start() {
      const paths = tlsFiles(config.tls);
      const { addresses } = config;
      if (paths.length === 0 || addresses?.every((address) => !address.startsWith('https:'))) return;
      watch = createFileWatch({ logger, onChange: () => void take(paths) });
      void watch.set(paths);
    },
    close: () => watch?.close(),
  };
}
