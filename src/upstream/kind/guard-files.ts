// An upstream whose program, credentials or secrets others can change is not asked: they were looked at when the config was
// read, which may be long ago, and are again before each request.
import { LatchkeyError } from '../../base/errors.ts';
import { answersInTime } from '../../base/paths/controlled-file.ts';
import { filesAskedWith } from '../../config/resolve/check-modes.ts';
import type { UpstreamConfig } from '../../config/upstreams/kinds.ts';
import type { SourceOptions } from '../secret-source.ts';

/** What it gives rejects with `login_failed`. */
export function guardFiles<C extends UpstreamConfig>(
  options: Pick<SourceOptions<C>, 'config' | 'env' | 'faultOf'>,
): () => Promise<void> {
  const { config, env, faultOf } = options;
  if (faultOf === undefined) return async () => undefined;
  return async () => {
    for (const { path, role } of filesAskedWith(config, env)) {
      // Of a disk that hangs whoever reads it tells, and each try would keep another thread.
      if (!(await answersInTime(path))) return;
      const fault = faultOf(path, role);
      if (fault !== undefined) throw new LatchkeyError('login_failed', fault);
    }
  };
}
