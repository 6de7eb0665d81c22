// The local API with its types: what each question takes and what its answer is. How it travels is local-client.ts.
import type {
  DrillAnswer,
  DrillRequest,
  Explanation,
  LogLevelRequest,
  RefreshAnswer,
  RefreshRequest,
  RotateAnswer,
  RotateRequest,
  StopAnswer,
  StopRequest,
  WhoHasAnswer,
} from '../api/admin.ts';
import { pathOf, type Route, routes } from '../api/routes.ts';
import type { AgentStatus, LogStatus } from '../api/status.ts';
import type { TimelineAnswer } from '../api/timeline.ts';
import { askAgentOrThrow } from './local-client.ts';

/** Each rejects with the error that the agent tells, or why there is no answer. */
export interface TypedClient {
  status(): Promise<AgentStatus>;
  refresh(request: RefreshRequest): Promise<RefreshAnswer>;
  rotate(name: string, request: RotateRequest): Promise<RotateAnswer>;
  logLevel(level: string, request: LogLevelRequest): Promise<LogStatus>;
  stop(request: StopRequest): Promise<StopAnswer>;
  drill(name: string, request: DrillRequest): Promise<DrillAnswer>;
  /** `NAME` or `NAME@VERSION`. */
  whoHas(subject: string): Promise<WhoHasAnswer>;
  explain(subject: string): Promise<Explanation>;
  /** Of one secret, or of all. */
  timeline(name: string | undefined, last: number): Promise<TimelineAnswer>;
}

export function createTypedClient(socketPath: string): TypedClient {
  async function call<T>({ method }: Route, path: string, body?: object): Promise<T> {
    const sent =
      body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await askAgentOrThrow({ socketPath, method, path, ...sent });
    // The agent is the other end of this contract: its answers are not checked once more.
    return JSON.parse(answer.body.toString('utf8')) as T;
  }
  return {
    status: () => call(routes.status, pathOf(routes.status)),
    refresh: (request) => call(routes.refresh, pathOf(routes.refresh), request),
    rotate: (name, request) => call(routes.rotate, pathOf(routes.rotate, name), request),
    logLevel: (level, request) => call(routes.logLevel, pathOf(routes.logLevel, level), request),
    stop: (request) => call(routes.stop, pathOf(routes.stop), request),
    drill: (name, request) => call(routes.drill, pathOf(routes.drill, name), request),
    whoHas: (subject) => call(routes.whoHas, pathOf(routes.whoHas, subject)),
    timeline: (name, last) =>
      name === undefined
        ? call(routes.timelines, `${pathOf(routes.timelines)}?last=${last}`)
        : call(routes.timeline, `${pathOf(routes.timeline, name)}?last=${last}`),
    explain: (subject) =>
      call(routes.explain, `${pathOf(routes.explain)}?subject=${encodeURIComponent(subject)}`),
  };
}
