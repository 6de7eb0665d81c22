// A destination that is the agent's own output, or nothing at all: what is rendered is written there whenever it changes,
// and there is no file to stage, to watch or to put back.
import type { StandardStream } from '../../base/paths/special-file.ts';
import type { FifoServer, FifoValue } from './fifo-server.ts';

export function createStandardStream(stream: StandardStream): FifoServer {
  let value: FifoValue | undefined;
  return {
    async offer(next) {
      if (stream !== 'nothing') await write(process[stream], next.bytes);
      value = next;
    },
    current: () => value,
    close: async () => undefined,
  };
}

function write(sink: NodeJS.WriteStream, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
