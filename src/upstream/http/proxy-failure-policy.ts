// What a failure on the way through a proxy means where the proxy is its cause: away, unknown, or not willing.
import { UpstreamFailure } from '../gate/failure.ts';

/** Not what is too slow: that may be the server behind the proxy as well. */
const connecting = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'UND_ERR_PRX_CONN', 'UND_ERR_PRX_TLS'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME'],
]);

/** Undefined where the failure is not the proxy's. Nothing was sent to the server. */
export function proxyFailure(error: unknown, proxy: string, address: string): UpstreamFailure | undefined {
  const { code, message = '' } = firstOf(error);
  const status = /^Proxy response \((\d+)\)|^Proxy Authentication Required \((407)\)/.exec(message);
  if (status !== null) {
    const got = status[1] ?? status[2];
    return new UpstreamFailure(
      'unavailable',
      `the proxy ${proxy} answers ${got} to the wish to reach ${address}`,
      {
        remedy:
          got === '407'
            ? 'put name and password into proxy: http://NAME:PASSWORD@HOST:PORT'
            : 'check what the proxy allows, and that it reaches the server',
      },
    );
  }
  if (code?.startsWith('UND_ERR_SOCKS5') === true) {
    const isLogin = code.startsWith('UND_ERR_SOCKS5_AUTH');
    return new UpstreamFailure('unavailable', `the proxy ${proxy} on the way to ${address}: ${message}`, {
      remedy: isLogin
        ? 'put name and password into proxy: socks5://NAME:PASSWORD@HOST:PORT'
        : 'check what the proxy allows, and that it reaches the server',
    });
  }
  if (code === undefined || !connecting.has(code)) return undefined;
  return new UpstreamFailure(
    'unavailable',
    `the proxy ${proxy} on the way to ${address} cannot be used: ${code}`,
    {
      cause: error,
      remedy: 'check that the proxy runs and that proxy is right',
    },
  );
}

function firstOf(error: unknown): { readonly code?: string | undefined; readonly message?: string } {
  const one: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(one instanceof Error)) return {};
  const { code } = one as { code?: unknown };
  return { code: typeof code === 'string' ? code : undefined, message: one.message };
}
