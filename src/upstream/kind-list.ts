// The kinds of upstream that a configuration may name. To add one: its folder here, its line below, its page in
// docs/guides/upstreams. What a kind declares is in config/upstreams/kinds.ts.
export { agent } from './agent/agent-kind.ts';
export { aws } from './aws/aws-kind.ts';
export { azure } from './azure/azure-kind.ts';
export { http } from './endpoint/endpoint-kind.ts';
export { env } from './env/env-kind.ts';
export { exec } from './exec/exec-kind.ts';
export { file } from './file/file-kind.ts';
export { gcp } from './gcp/gcp-kind.ts';
export { kubernetes } from './kubernetes/kubernetes-kind.ts';
export { onepassword } from './onepassword/onepassword-kind.ts';
export { vault } from './vault/vault-kind.ts';
