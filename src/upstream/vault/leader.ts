// Where a redirect of a standby may lead: to an address of the config, or to the leader that the redirecting node itself
// announces (`sys/leader`), never anywhere else, because the token goes along. Also which node a body that can be sent
// only once is best sent to.
import type { IncomingHttpHeaders } from 'node:http';
import { BoundedMap } from '../../base/bounded-map.ts';
import type { Clock } from '../../base/time/clock.ts';
import { UpstreamFailure } from '../gate/failure.ts';

export interface LeaderTable {
  /** The origin and target that the answer of `origin` leads to; undefined where it is no redirect. Throws where it must not be followed. */
  follow(answer: RedirectAnswer, origin: string, signal: AbortSignal): Promise<[string, string] | undefined>;
  /** A request to `address` was answered by `origin`. */
  note(address: string, origin: string): void;
  /** The origin that lately answered for `address`. */
  find(address: string): string | undefined;
}

interface RedirectAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface LeaderTableOptions {
  readonly clock: Clock;
  /** Those of the config. */
  readonly addresses: () => readonly string[];
  /** `leader_address` of the node's `sys/leader`; undefined where it tells none. */
  readonly askLeader: (origin: string, signal: AbortSignal) => Promise<string | undefined>;
}

/** Leaders change in seconds when they do. */
const believedMs = 10_000;
const mostNodes = 64;

export function createLeaderTable({ clock, addresses, askLeader }: LeaderTableOptions): LeaderTable {
  const isConfigured = (origin: string): boolean =>
    addresses().some((address) => originOf(address) === origin);
  const announced = new BoundedMap<string, { leader: string | undefined; at: number }>(mostNodes);
  const answered = new BoundedMap<string, { origin: string; at: number }>(mostNodes);

  async function leaderOf(origin: string, signal: AbortSignal): Promise<string | undefined> {
    const known = announced.get(origin);
    if (known !== undefined && clock.now() - known.at < believedMs) return known.leader;
    const address = await askLeader(origin, signal);
    const leader = address === undefined ? undefined : originOf(address);
    announced.set(origin, { leader, at: clock.now() });
    return leader;
  }

  return {
    async follow(answer, origin, signal) {
      const next = redirectOf(answer, origin);
      if (next === undefined || next[0] === originOf(origin) || isConfigured(next[0])) return next;
      if ((await leaderOf(origin, signal)) === next[0]) return next;
      const isStandby = answer.status === 307 || answer.status === 308;
      throw new UpstreamFailure(
        isStandby ? 'standby' : 'answer_invalid',
        `${isStandby ? 'the standby ' : ''}${origin} redirects to ${next[0]}, which is no address of the config nor the leader that it announces`,
        {
          remedy:
            'name that address under address too, or set api_addr of the active node to where its clients reach it',
        },
      );
    },
    note(address, origin) {
      const known = answered.get(address);
      if (known?.origin === origin) known.at = clock.now();
      else answered.set(address, { origin, at: clock.now() });
    },
    find(address) {
      const known = answered.get(address);
      return known !== undefined && clock.now() - known.at < believedMs ? known.origin : undefined;
    },
  };
}

/** A standby's is 307; the others come from what stands before a vault, and mean the same to its clients. */
export function isRedirect(status: number): boolean {
  return status === 307 || status === 308 || status === 301 || status === 302;
}

/** Where a redirect leads: origin and target. The scheme must not fall from https to http, for the token goes along. */
function redirectOf(answer: RedirectAnswer, origin: string): [string, string] | undefined {
  const { location } = answer.headers;
  if (!isRedirect(answer.status) || !location) return undefined;
  const url = URL.parse(location, origin);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== new URL(origin).protocol)) {
    throw new UpstreamFailure(
      'answer_invalid',
      `${origin} redirects to where no vault can be reached safely`,
      {
        status: answer.status,
        remedy: 'set api_addr of every node to its https:// address',
        wasSent: true,
      },
    );
  }
  return [url.origin, `${url.pathname}${url.search}`];
}

function originOf(address: string): string {
  return URL.parse(address)?.origin ?? address;
}
