// One POST to a service that an auth method trusts (Kubernetes, STS): bounded in time and size, own CA if given.
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { describeError } from '../../../../src/base/errors.ts';
import { collected } from '../vault-error.ts';

export interface OutsideAnswer {
  status: number;
  body: string;
}

const timeoutMs = 10_000;
const maxBytes = 1024 * 1024;

export function postOutside(
  url: string,
  headers: Record<string, string>,
  body: string,
  ca?: string,
): Promise<OutsideAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(collected(500, `request to ${new URL(url).host} failed: ${describeError(error)}`));
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const options = {
      method: 'POST',
      timeout: timeoutMs,
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      ...(ca ? { ca } : {}),
    };
    const request = send(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > maxBytes) request.destroy(new Error('answer is too large'));
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.once('error', fail);
    });
    request.once('timeout', () => request.destroy(new Error('no answer in time')));
    request.once('error', fail);
    request.end(body);
  });
}
