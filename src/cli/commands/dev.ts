// `latchkey dev`: the embedded vault, in the foreground until TERM or INT.

import { createDevVault } from '@latchkey/devvault/dev-vault.ts';
import { createLogger } from '../../base/logger.ts';
import { untilAborted } from '../../base/time/aborted.ts';
import { say } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';

interface DevOptions {
  listen: string;
  rootToken?: string | undefined;
  seed?: string | undefined;
}

export async function runDev(options: DevOptions): Promise<number> {
  const stop = stopSignal();
  const { logger } = createLogger({ level: 'info', format: 'text' });
  const vault = createDevVault({
    listen: options.listen,
    logger,
    ...(options.rootToken === undefined ? {} : { rootToken: options.rootToken }),
  });
  try {
    await vault.start();
    if (options.seed !== undefined) {
      const { seedFromFile } = await import('@latchkey/devvault/seed/seed.ts');
      await seedFromFile(vault, options.seed);
    }
    for (const line of vault.banner().split('\n')) say(line);
    await untilAborted(stop.signal);
    return 0;
  } finally {
    await vault.close();
    stop.dispose();
  }
}
