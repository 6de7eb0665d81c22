// The proxy that stands between the agent and a server, and which of them the environment of other tools names.
import { BlockList, isIP } from 'node:net';
import { isLoopback } from '../../base/system/local-address.ts';
import type { Place, Problems } from '../problems.ts';

export interface ProxyConfig {
  /** Scheme, host and port alone: what may be told. */
  readonly url: string;
  /** The header `Proxy-Authorization`, from name and password in the URL. A secret. */
  readonly authorization: string | undefined;
  /** The same for a SOCKS proxy, which has no headers. A secret. */
  readonly login?: { readonly name: string; readonly password: string };
}

/** Says what is wrong without a word of the text, which may hold a password. */
export function resolveProxy(
  text: string | undefined,
  place: Place,
  problems: Problems,
): ProxyConfig | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isSocks = /^socks5h?:$/.test(url?.protocol ?? '');
  const isRoot = url !== null && /^\/?$/.test(url.pathname) && url.search === '' && url.host !== '';
  if (!isRoot || !(isSocks || /^https?:$/.test(url.protocol))) {
    problems.add(
      place,
      'expected the URL of a proxy such as http://proxy.example:3128 or socks5://proxy.example:1080',
    );
    return undefined;
  }
  const { username, password } = url;
  // Names are resolved by the proxy, whichever of the two it is called: as Go does it.
  const shown = isSocks ? `socks5://${url.host}` : url.origin;
  if (username === '' && password === '') return { url: shown, authorization: undefined };
  try {
    const login = { name: decodeURIComponent(username), password: decodeURIComponent(password) };
    if (isSocks) return { url: shown, authorization: undefined, login };
    const credentials = `${login.name}:${login.password}`;
    return { url: shown, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
  } catch {
    problems.add(place, 'name and password of the proxy are not encoded as in a URL: expected %25 for %');
    return undefined;
  }
}

/** The variable that sends what is for `address` through a proxy, and that proxy: as Vault's own client and Go have it. */
export function proxyFromEnvironment(
  address: string,
  variable: (name: string) => string | undefined,
): { readonly name: string; readonly url: string } | undefined {
  const first = (...names: string[]) => {
    const name = names.find((one) => (variable(one) ?? '') !== '');
    return name === undefined ? undefined : { name, url: withScheme(variable(name) ?? '') };
  };
  const forced = first('VAULT_PROXY_ADDR', 'VAULT_HTTP_PROXY');
  if (forced !== undefined) return forced;
  const server = URL.parse(address);
  if (server === null) return undefined;
  const proxy =
    server.protocol === 'https:' ? first('HTTPS_PROXY', 'https_proxy') : first('HTTP_PROXY', 'http_proxy');
  return proxy === undefined || isDirect(server, variable('NO_PROXY') || variable('no_proxy') || '')
    ? undefined
    : proxy;
}

function withScheme(text: string): string {
  return text.includes('://') ? text : `http://${text}`;
}

/** Go's reading of NO_PROXY: names with all below them, addresses, networks, each with a port or without; and loopback. */
function isDirect(server: URL, list: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || isLoopback(host)) return true;
  return list.split(',').some((entry) => isNamed(host, port, entry.trim().toLowerCase()));
}

function isNamed(host: string, port: string, entry: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  if (entry.includes('/')) return isWithin(host, entry);
  const bare = isIP(entry) === 6 ? undefined : /^(.*?):(\d+)$/.exec(entry);
  if (bare?.[2] !== undefined && bare[2] !== port) return false;
  const name = (bare?.[1] ?? entry).replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
  if (isIP(name) !== 0) return isWithin(host, `${name}/${isIP(name) === 6 ? 128 : 32}`);
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isWithin(host: string, network: string): boolean {
  const [base = '', bits = ''] = network.split('/');
  const family = isIP(base);
  const most = family === 6 ? 128 : 32;
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(bits) || Number(bits) > most) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  return list.check(host, family === 6 ? 'ipv6' : 'ipv4');
}
