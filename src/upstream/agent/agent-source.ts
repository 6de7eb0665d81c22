// Another agent of this host as an upstream: secrets by the names of its config, as far as its rules allow them to this
// user. It keeps leases and schedules; what it has is asked for again, and never for longer than it says.

import { type ErrorCode, LatchkeyError } from '../../base/errors.ts';
import { askSocket, type SocketAnswer } from '../../base/system/ask-socket.ts';
import { errnoOf } from '../../base/system/errno.ts';
import {
  isJsonObject,
  JsonNumber,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '../../base/text/json.ts';
import { jsonExcess } from '../../base/text/json-excess.ts';
import { fieldsAnswer } from '../kind/kind-answer.ts';
import { createKindSource } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import type { AgentUpstreamConfig } from './agent-kind.ts';

const largestAnswer = 16 * 1024 * 1024;
/** What the agent's own codes mean to one that is served by it. */
const codes: Readonly<Record<string, ErrorCode>> = {
  denied: 'denied',
  upstream_denied: 'denied',
  not_found: 'not_found',
};

export function createAgentSource(options: SourceOptions<AgentUpstreamConfig>): SecretSource {
  const { socket } = options.config;

  async function ask(name: string, signal: AbortSignal): Promise<SocketAnswer> {
    try {
      const path = `/secrets/${encodeURIComponent(name)}`;
      return await askSocket({ socketPath: socket, path, signal, maxBytes: largestAnswer });
    } catch (cause) {
      if (cause instanceof LatchkeyError) throw cause;
      throw new LatchkeyError(
        'upstream_unavailable',
        `cannot reach the agent at ${socket}: ${errnoOf(cause) ?? 'the connection broke'}`,
        { cause, remedy: 'start it, or correct the path' },
      );
    }
  }

  return createKindSource(options, () => ({
    address: socket,
    async read({ path }, { signal }) {
      const answer = await ask(path, signal);
      const excess = jsonExcess(answer.body);
      if (excess !== undefined)
        throw new LatchkeyError('upstream_answer_invalid', `the answer of the agent at ${socket} ${excess}`);
      const body = jsonIn(answer);
      if (!isJsonObject(body)) throw unreadable(socket);
      if (answer.status !== 200) throw refusal(body, path, socket);
      const { data, version } = body;
      if (!isJsonObject(data)) throw unreadable(socket);
      return fieldsAnswer(data, version instanceof JsonNumber ? { versionId: version.text } : {});
    },
    close: async () => undefined,
  }));
}

function jsonIn({ body }: SocketAnswer): JsonValue | undefined {
  try {
    return parseJson(body.toString('utf8'));
  } catch {
    return undefined; // somebody else answers there
  }
}

function refusal({ error }: JsonObject, path: string, socket: string): LatchkeyError {
  const { code, message } = isJsonObject(error) ? error : {};
  const told = typeof message === 'string' ? message : 'it did not say why';
  const known = typeof code === 'string' ? codes[code] : undefined;
  const remedy = path.includes('/')
    ? { remedy: 'it hands secrets out by the names under its `secrets`: give this one a name there' }
    : {};
  return new LatchkeyError(
    known ?? 'upstream_unavailable',
    `the agent at ${socket}: ${path}: ${told}`,
    remedy,
  );
}

function unreadable(socket: string): LatchkeyError {
  return new LatchkeyError('upstream_answer_invalid', `what answers at ${socket} is no agent`);
}
