// A command as an upstream: for everything that has a program and no kind of its own.

import { LatchkeyError } from '../../base/errors.ts';
import type { Environment } from '../../base/surroundings.ts';
import { findGroup, findUser } from '../../base/system/accounts.ts';
import type { JsonObject } from '../../base/text/json.ts';
import type { RequestOptions } from '../../store/secret-reading.ts';
import { createKindGate } from '../kind/kind-gate.ts';
import { createKindSource, type KindClient } from '../kind/kind-source.ts';
import type { SecretSource, SourceOptions } from '../secret-source.ts';
import {
  answerObject,
  asLeaseLost,
  type ExecRequest,
  renewal,
  requestText,
  secretAnswer,
} from './exec-answer.ts';
import type { ExecUpstreamConfig } from './exec-kind.ts';
import { maskedLines } from './masked-lines.ts';
import { runProgram } from './run-program.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function createExecSource(options: SourceOptions<ExecUpstreamConfig>): SecretSource {
  return createKindSource(options, () => createExecClient(options));
}

function createExecClient(options: SourceOptions<ExecUpstreamConfig>): KindClient {
  const { config, clock, env } = options;
  const logger = options.logger.child({ upstream: config.name });
  const [program = ''] = config.command;
  const gate = createKindGate(options, { requestsPerSecond: 1000, concurrency: config.concurrency });

  async function ask(request: ExecRequest, what: string, options: RequestOptions): Promise<JsonObject> {
    const { priority, promoted, signal } = options;
    const { end } = await gate.pass({ lane: priority, promoted, signal }, async () => {
      const end = await runProgram({
        ...config,
        ...identity(config),
        input: requestText(request),
        env: environment(config, env),
        clock,
        signal,
      });
      return { end, status: statusOf(end.code) };
    });
    for (const line of maskedLines(end)) logger.warn({ event: 'upstream.program-said', program }, line);
    return answerObject(end, program, what);
  }

  return {
    address: config.command.join(' '),
    budget: gate.status,
    async read(reference, request) {
      const answer = await ask({ operation: 'read', reference }, reference.path, request);
      return secretAnswer(answer, program, clock.wall());
    },
    leases: {
      async renew(leaseId, incrementSeconds, request) {
        try {
          const answer = await ask({ operation: 'renew', leaseId, incrementSeconds }, 'such lease', request);
          return renewal(answer, program, clock.wall());
        } catch (error) {
          throw asLeaseLost(error);
        }
      },
      async revoke(leaseId, request) {
        await ask({ operation: 'revoke', leaseId }, 'such lease', request).catch((error: unknown) => {
          // A lease that is gone is what was wanted.
          if (!(error instanceof LatchkeyError) || error.code !== 'not_found') throw error;
        });
      },
    },
    close: async () => gate.close(),
  };
}

/** For the counters, which know the statuses of HTTP. */
function statusOf(code: number | undefined): number {
  return code === 0 ? 200 : code === 3 ? 404 : code === 4 ? 403 : 503;
}

function identity({ user, group }: ExecUpstreamConfig): { uid: number | undefined; gid: number | undefined } {
  const account = user === undefined ? undefined : findUser(user);
  const named = group === undefined ? undefined : findGroup(group);
  const unknown =
    user !== undefined && account === undefined
      ? user
      : group !== undefined && named === undefined
        ? group
        : undefined;
  if (unknown !== undefined) {
    throw new LatchkeyError('upstream_unavailable', `there is no user or group ${JSON.stringify(unknown)}`, {
      remedy: 'create it, or correct user and group of this upstream',
    });
  }
  return { uid: account?.uid, gid: named?.gid ?? account?.gid };
}

function environment(config: ExecUpstreamConfig, own: Environment): Record<string, string> {
  const passed = ['PATH', 'LANG', ...config.passEnv].flatMap((name) => {
    const value = own[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { PATH: defaultPath, ...Object.fromEntries(passed), ...config.env };
}
