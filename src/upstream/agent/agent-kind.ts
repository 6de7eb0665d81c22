// Another agent of this host as an upstream: the keys of `kind: agent`.
import * as z from 'zod/mini';
import type { Named } from '../../config/item.ts';
import { doc, section, text } from '../../config/schema/fields.ts';

const agentSchema = section({
  kind: doc(z.literal('agent'), 'Another agent of this host, asked over its unix socket.'),
  socket: doc(
    z.prefault(text(), '/run/latchkey/latchkey.sock'),
    'Its unix listener with `serve: [secrets]`; `@name` is an abstract address.',
  ),
});

export interface AgentUpstreamConfig {
  readonly name: string;
  readonly kind: 'agent';
  readonly socket: string;
}

function resolveAgent({ name, value }: Named<z.output<typeof agentSchema>>): AgentUpstreamConfig {
  return { name, kind: 'agent', socket: value.socket };
}

export const agent = {
  schema: agentSchema,
  resolve: resolveAgent,
  refreshMs: 5000,
  load: async () => (await import('./agent-source.ts')).createAgentSource,
};
