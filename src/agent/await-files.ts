// A process that is signalled when a file changes reads that file, so it is not started before the file is there.
import { anyChange, type Changes } from '../base/time/until.ts';
import type { EnvironmentSource } from '../content/environment-source.ts';
import type { FilePipeline } from '../files/file-pipeline.ts';
import type { Store } from '../store/store.ts';

interface AwaitedFiles {
  readonly files: Pick<FilePipeline, 'awaitedBy' | 'listen'>;
  readonly store: Store;
}

/** The same variables, but none of them until the files of the process are in place; from then on they count no more. */
export function awaitFiles(
  source: EnvironmentSource,
  process: string,
  { files, store }: AwaitedFiles,
): EnvironmentSource {
  let isOpen = false;

  function awaited(): string | undefined {
    if (isOpen) return undefined;
    const file = files.awaitedBy(process);
    isOpen = file === undefined;
    return file;
  }

  const whileAwaited: Changes = (listener) =>
    anyChange(files.listen, (each) => store.listen({ updated: each }))(() => {
      if (!isOpen) listener();
    });

  return {
    ...source,
    current: () => (awaited() === undefined ? source.current() : undefined),
    missing() {
      const file = awaited();
      const missing = source.missing();
      return file === undefined
        ? missing
        : [...missing, { key: '', name: file, reason: 'the file is not there yet' }];
    },
    onChange: anyChange(source.onChange, whileAwaited),
  };
}
