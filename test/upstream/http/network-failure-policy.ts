import t from 'tap';
import { networkFailure } from '../../../src/upstream/http/network-failure-policy.ts';

const address = 'https://vault.example:8200';
const fault = (code: string) => Object.assign(new Error('no words of ours'), { code });

t.test('each fault of a connection has a state, a remedy, and a verdict on repeating', async (t) => {
  const table: [string, string, RegExp, boolean][] = [
    ['ECONNREFUSED', 'unavailable', /that the server runs/, false],
    ['EHOSTUNREACH', 'unavailable', /network between/, false],
    ['UND_ERR_CONNECT_TIMEOUT', 'unavailable', /network between/, false],
    ['ECONNRESET', 'unavailable', /network between/, true],
    ['UND_ERR_SOCKET', 'unavailable', /network between/, true],
    ['UND_ERR_BODY_TIMEOUT', 'unavailable', /network between/, true],
    ['ENOTFOUND', 'dns_failed', /resolver/, false],
    ['EAI_AGAIN', 'dns_failed', /resolver/, false],
    ['CERT_HAS_EXPIRED', 'tls_failed', /renew the certificate/, false],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_failed', /tls\.server_name/, false],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls_failed', /tls\.ca_file/, false],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls_failed', /wants a client certificate/, false],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls_failed', /tls\.cert_file and tls\.key_file/, false],
    ['EPROTO', 'tls_failed', /speaks TLS/, false],
  ];
  for (const [code, state, remedy, wasSent] of table) {
    const failure = networkFailure(fault(code), address);
    t.match(failure, { state, remedy, wasSent }, code);
    t.match(failure.message, address);
    t.notMatch(failure.message, 'no words of ours');
  }
});

t.test('finds the code inside an AggregateError and inside a cause', async (t) => {
  t.equal(networkFailure(new AggregateError([fault('ECONNREFUSED')]), address).state, 'unavailable');
  t.equal(networkFailure(new Error('outer', { cause: fault('ENOTFOUND') }), address).state, 'dns_failed');
  t.match(networkFailure('thrown text', address).message, /unknown fault/);
});
