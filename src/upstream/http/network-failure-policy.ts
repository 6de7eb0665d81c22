// What a failed connection or a broken answer means: refused, name unknown, TLS, too slow, cut off.
import { UpstreamError } from '../../base/upstream-error.ts';
import { UpstreamFailure } from '../gate/failure.ts';

/** Faults that happen before the request is written; the rest may have reached the server. */
const beforeSending = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ENOENT',
  'EACCES',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const nameFaults = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME']);

const tlsRemedies: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: 'set tls.server_name to a name in the certificate, or correct the address',
  CERT_HAS_EXPIRED: 'renew the certificate of the server or of the authority that signed it',
  CERT_NOT_YET_VALID: 'check the clocks of this host and of the server',
  EPROTO: 'check that the server speaks TLS at this address, else use http://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'check that the server speaks TLS at this address, else use http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'check that the server speaks TLS at this address, else use http://',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'set tls.cert_file and tls.key_file: the server wants a client certificate',
};
const untrusted =
  'set tls.ca_file to the authority that signed the certificate, or add it to the trust store of the system';

const certificateFault =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|ERR_OSSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$|INVALID_CA|PATH_LENGTH)/;

/** Turns what undici or the system threw into a failure that names the address and the remedy. */
export function networkFailure(error: unknown, address: string): UpstreamFailure {
  const code = codeOf(error);
  const at = `${address}: ${code}`;
  const cause = error;
  if (nameFaults.has(code)) {
    return new UpstreamFailure('dns_failed', `the name of ${address} cannot be resolved (${code})`, {
      cause,
      remedy: 'check the address and the resolver of this host',
    });
  }
  if (certificateFault.test(code)) {
    return new UpstreamFailure('tls_failed', `no trusted TLS connection to ${at}`, {
      cause,
      remedy: tlsRemedies[code] ?? (isAlert(code) ? 'check tls.cert_file and tls.key_file' : untrusted),
    });
  }
  if (code === 'ECONNREFUSED') {
    return new UpstreamFailure('unavailable', `nothing accepts connections at ${address}`, {
      cause,
      remedy: 'check that the server runs and that the address is right',
    });
  }
  const isBefore = beforeSending.has(code);
  const what = code.includes('TIMEOUT') ? 'no answer in time from' : 'the connection broke to';
  return new UpstreamFailure('unavailable', `${isBefore ? 'no connection to' : what} ${at}`, {
    cause,
    remedy: 'check the server and the network between',
    wasSent: !isBefore,
    isCut: !isBefore && !code.includes('TIMEOUT'),
  });
}

export function timeoutFailure(address: string, timeoutMs: number): UpstreamFailure {
  return new UpstreamFailure('unavailable', `no whole answer from ${address} within ${timeoutMs} ms`, {
    remedy: 'check the load of the server, or raise timeout',
    wasSent: true,
  });
}

/** Of a request that may be sent again: its own time is not over. */
export function silenceFailure(address: string, silentMs: number): UpstreamFailure {
  return new UpstreamFailure('unavailable', `${address} has not answered for ${silentMs / 1000} s`, {
    remedy: 'check the server and the network between',
    wasSent: true,
    isSilent: true,
  });
}

/** Of one answer: what else the server answers is as good as before. `excess`: how it is too much for JSON. */
export function oversizedFailure(address: string, limit: number, excess?: string): UpstreamError {
  const what = excess ?? `is larger than ${limit} bytes`;
  const remedy =
    excess === undefined
      ? 'check that a vault answers there, or raise max_body'
      : 'ask for a part of it, or divide it';
  return new UpstreamError('upstream_answer_invalid', `the answer of ${address} ${what}`, { remedy });
}

function isAlert(code: string): boolean {
  return code.includes('_ALERT_');
}

/** Node puts the faults of each tried address (IPv6, IPv4) into an AggregateError. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === 'string') return code;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? 'unknown fault' : codeOf(cause);
}
