// Takes in the body of a request, up to a limit.
import type { IncomingMessage } from 'node:http';
import { LatchkeyError } from '../../base/errors.ts';

/** Rejects with `request_invalid` when the body is longer than `maxBytes` or ends early. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const tooLong = (): LatchkeyError =>
    new LatchkeyError('request_invalid', `the body is longer than ${maxBytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLong();
  try {
    // `for await` would destroy the connection on leaving: the answer could not be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) throw tooLong();
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    if (error instanceof LatchkeyError) throw error;
    throw new LatchkeyError('request_invalid', 'the body ended early', { cause: error });
  }
  return Buffer.concat(chunks, size);
}
