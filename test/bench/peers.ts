// The agent beside its peers, each in turn within one run, before the same upstream: files beside OpenBao's or Vault's agent
// (`LATCHKEY_TEST_VAULT=/path/to/bao`) and consul-template (`LATCHKEY_PEER_CONSUL_TEMPLATE=/path/to/consul-template`), cached
// leases beside the proxy of the first, secrets of AWS beside AWS's own agent (`LATCHKEY_PEER_AWS_AGENT=/path/to/it`, with
// moto_server on the PATH or in LATCHKEY_TEST_MOTO). `npm run bench:peers [-- --rounds 5] [--only files|proxy|aws]`
import { parseArgs } from 'node:util';
import { compareWithAwsAgent } from './peers/aws-agent.ts';
import { compareFiles } from './peers/files.ts';
import { compareWithProxy } from './peers/proxy.ts';

const parts: Readonly<Record<string, (rounds: number) => Promise<void>>> = {
  files: compareFiles,
  proxy: compareWithProxy,
  aws: compareWithAwsAgent,
};

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' } },
});
for (const [name, compare] of Object.entries(parts)) {
  if (values.only === undefined || values.only === name) await compare(Number(values.rounds));
}
