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

export type AgentUpstreamConfig = ReturnType<typeof resolveAgent>;

function resolveAgent({ name, value }: Named<z.output<typeof agentSchema>>) {
  return { name, kind: 'agent' as const, socket: value.socket };
}

export const agent = {
  schema: agentSchema,
  resolve: resolveAgent,
  refreshMs: 5000,
  load: async () => (await import('./agent-source.ts')).createAgentSource,
};
