// Requests that no program of this host makes: from a browser's page, through a proxy, to a name that is not ours.
// Decided on the headers alone, before anybody asks who the caller is.
import { isLoopback } from '../../base/system/local-address.ts';

/** Header values as node:http gives them, names in lower case. */
type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface HostRules {
  /** Unix sockets: no browser gets there, so any name without a dot is taken (`http://localhost`, `http://agent`). */
  readonly isUnix: boolean;
  /** A proxy may stand in front, and be asked by any name. */
  readonly isBehindProxy?: boolean;
  /** Names beside localhost and the loopback addresses; of a TLS listener those of its certificate. */
  accepts(hostname: string): boolean;
}

/** For what proves itself with each message: only pages in a browser are refused. */
export const anyHost: HostRules = { isUnix: false, isBehindProxy: true, accepts: () => true };

/** Why the request is refused, as a metric's label and for the message; undefined: it is not. */
export function refusalOf(headers: Headers, rules: HostRules): { why: string; message: string } | undefined {
  if (headers['origin'] !== undefined) return refusal('origin', 'requests with an Origin header are refused');
  if (headers['referer'] !== undefined)
    return refusal('referer', 'requests with a Referer header are refused');
  // What a page may load without a word of where it comes from (an image, say). `none`: somebody typed the address.
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none')
    return refusal('page', 'requests of a page in a browser are refused');
  if (rules.isBehindProxy === true) return undefined;
  if (headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined) {
    return refusal('forwarded', 'requests that were forwarded (X-Forwarded-For, Forwarded) are refused');
  }
  const host = headers['host'];
  if (typeof host !== 'string' || isOwnHost(host, rules)) return undefined;
  return refusal('host', 'requests to a foreign Host are refused: ask for localhost');
}

function isOwnHost(host: string, rules: HostRules): boolean {
  if (host === 'localhost') return true;
  const hostname = hostnameOf(host);
  if (hostname === undefined) return false;
  if (hostname === 'localhost' || isLoopback(hostname)) return true;
  if (rules.isUnix) return /^[a-z0-9_-]*$/i.test(hostname);
  return rules.accepts(hostname);
}

/** Without the port and the brackets of IPv6; undefined when it is none. */
function hostnameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]*))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

function refusal(why: string, message: string): { why: string; message: string } {
  return { why, message };
}
