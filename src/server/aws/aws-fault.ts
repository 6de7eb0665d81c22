// What is wrong with a request of the AWS dialect, and how AWS's agents tell it.
import type { Exchange } from '../http/exchange.ts';
import { jsonHeaders } from '../http/prepared-answer.ts';

/** `text`: as the Secrets Manager agent words what is wrong with the request itself. */
export type AwsFault =
  | { readonly status: number; readonly text: string }
  | { readonly status: number; readonly type: string; readonly message: string };

export function answerFault(exchange: Exchange, fault: AwsFault): void {
  if ('text' in fault) answerText(exchange, fault.status, fault.text);
  else answerObject(exchange, fault.status, { __type: fault.type, message: fault.message });
}

/** As the endpoints of container credentials do. */
export function answerCode(exchange: Exchange, status: number, code: string, message: string): void {
  answerObject(exchange, status, { Code: code, Message: message });
}

function answerObject(exchange: Exchange, status: number, value: object): void {
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  exchange.answer(status, jsonHeaders(body.length), body);
}

export function answerText(exchange: Exchange, status: number, text: string): void {
  const headers = [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(Buffer.byteLength(text)),
  ];
  exchange.answer(status, [...headers, 'Cache-Control', 'no-store'], text);
}
