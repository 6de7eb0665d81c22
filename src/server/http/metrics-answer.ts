// Metrics as an answer: Prometheus text, at the paths of Vault Agent with its names beside ours.
import { vaultAgentText } from '../../metrics/vault-agent-names.ts';
import type { Exchange } from './exchange.ts';
import type { ServerContext } from './server-context.ts';

export function answerMetrics(exchange: Exchange, { registry }: Pick<ServerContext, 'registry'>): void {
  const signifier = exchange.path.startsWith('/proxy/') ? 'proxy' : 'agent';
  const isVaults = exchange.path !== '/metrics';
  const text = `${registry.render()}${isVaults ? vaultAgentText(registry.read(), signifier) : ''}`;
  const body = Buffer.from(text, 'utf8');
  const headers = ['Content-Type', 'text/plain; version=0.0.4; charset=utf-8', 'Content-Length'];
  exchange.answer(200, [...headers, String(body.length), 'Cache-Control', 'no-store'], body);
}
