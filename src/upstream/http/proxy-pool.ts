// Connections through a proxy: by a tunnel to what speaks TLS, else by asking the proxy for the whole URL; by SOCKS always by a
// tunnel. Loaded where a proxy is configured alone.
import type { Dispatcher } from 'undici';
import connect from 'undici/lib/api/api-connect.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js';
import Socks5ProxyAgent from 'undici/lib/dispatcher/socks5-proxy-agent.js';
import type { ProxyConfig } from '../../config/upstreams/proxy.ts';
import type { TlsOptions } from './tls-options.ts';

interface ProxyPoolOptions {
  readonly pool: Pool.Options;
  readonly connectTimeoutMs: number;
  readonly tls: TlsOptions | undefined;
}

export function createProxyPool(proxy: ProxyConfig, options: ProxyPoolOptions): Dispatcher {
  if (proxy.url.startsWith('socks5:')) return createSocksPool(proxy, options);
  const { url, authorization } = proxy;
  const { pool, connectTimeoutMs, tls } = options;
  const { servername: _, ...trust } = tls ?? {};
  const agent = new ProxyAgent({
    uri: url,
    ...(authorization === undefined ? {} : { token: authorization }),
    connectTimeout: connectTimeoutMs,
    allowH2: false,
    requestTls: { ...tls, timeout: connectTimeoutMs },
    // Its own name is verified, by the same authorities.
    proxyTls: { ...trust, timeout: connectTimeoutMs },
    // A proxy that takes the connection and says nothing has as long as one that takes none.
    clientFactory: (origin, options) =>
      Object.assign(new Pool(origin, { ...pool, ...options, headersTimeout: connectTimeoutMs }), { connect }),
    factory: (origin, { connect: way }: Pool.Options) =>
      new Pool(origin, { ...pool, ...(way !== undefined && { connect: way }) }),
  } as ProxyAgent.Options);
  return agent;
}

function createSocksPool(
  { url, login }: ProxyConfig,
  { connectTimeoutMs, tls }: ProxyPoolOptions,
): Dispatcher {
  const { emitWarning } = process;
  // The library tells every process that it is on trial, in a line that is no line of a log.
  process.emitWarning = () => undefined;
  try {
    return new Socks5ProxyAgent(url, {
      connectTimeout: connectTimeoutMs,
      requestTls: { ...tls, timeout: connectTimeoutMs },
      ...(login === undefined ? {} : { username: login.name, password: login.password }),
    } as Socks5ProxyAgent.Options);
  } finally {
    process.emitWarning = emitWarning;
  }
}
