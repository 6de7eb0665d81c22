// The schema of an upstream of kind vault: where it is and how the agent logs in to it.
import * as z from 'zod/mini';
import { choice, doc, duration, fileMode, flag, section, text } from '../../../config/schema/fields.ts';
import { budgetSchema, serverSchema } from '../../../config/upstreams/server-schema.ts';

const common = {
  mount: doc(
    z.optional(text()),
    'Where the method is mounted, without `auth/`; default: the name of the method.',
  ),
  namespace: doc(z.optional(text()), 'The namespace to log in to, where it is not the one of the upstream.'),
  min_backoff: doc(z.prefault(duration(), '1s'), 'The wait after the first failed login.'),
  max_backoff: doc(z.prefault(duration(), '5m'), 'The longest wait between two logins.'),
  exit_on_error: doc(z.prefault(flag(), false), 'End the agent when a login fails, instead of trying again.'),
  wrap_ttl: doc(
    z.optional(duration()),
    'Ask for the login answer wrapped for so long; the agent unwraps it.',
  ),
};

const role = doc(text(), 'The role to log in as.');
const removal = {
  remove_file: doc(z.prefault(flag(), false), 'Remove the file after a login with it has succeeded.'),
  remove_target: doc(z.prefault(flag(), false), 'Where the file is a link: remove what it leads to instead.'),
};
const passwordLogin = {
  username: doc(text(), 'The name to log in as.'),
  password_file: doc(text(), 'The file with the password.'),
  ...removal,
  ...common,
};

const unwrapped = doc(
  z.prefault(flag(), false),
  'It is a response-wrapping token, for the token to work with.',
);

const tokenLogin = section({
  method: doc(z.literal('token'), 'The token of `$VAULT_TOKEN`.'),
  unwrap: unwrapped,
  ...common,
});

const otherLogins = [
  section({
    method: doc(z.literal('none'), 'No login: callers of a listener bring tokens of their own.'),
    ...common,
  }),
  section({
    method: doc(z.literal('token_file'), 'A token that something else keeps in a file; the file is watched.'),
    path: doc(text(), 'The file with the token.'),
    unwrap: unwrapped,
    ...common,
  }),
  section({
    method: doc(z.literal('approle'), 'A role id and a secret id.'),
    role_id: doc(z.optional(text()), 'The role id; it is not a secret.'),
    role_id_file: doc(z.optional(text()), 'The file with the role id; instead of `role_id`.'),
    secret_id_file: doc(z.optional(text()), 'The file with the secret id; absent: the role needs none.'),
    remove_secret_id_file: doc(z.prefault(flag(), true), 'Remove that file after it was read.'),
    secret_id_wrapped: doc(
      z.prefault(flag(), false),
      'The file holds a response-wrapping token for the secret id.',
    ),
    ...common,
  }),
  section({
    method: doc(z.literal('jwt'), 'A JSON Web Token from a file, watched.'),
    role,
    path: doc(text(), 'The file with the token.'),
    ...removal,
    ...common,
  }),
  section({
    method: doc(z.literal('kubernetes'), 'The service account of this pod.'),
    role,
    path: doc(
      z.prefault(text(), '/var/run/secrets/kubernetes.io/serviceaccount/token'),
      "The file with the service account's token.",
    ),
    ...common,
  }),
  section({
    method: doc(z.literal('cert'), 'The client certificate of `tls`.'),
    name: doc(z.optional(text()), 'The certificate role; absent: the vault tries all.'),
    ...common,
  }),
  section({ method: doc(z.literal('userpass'), 'A name and a password.'), ...passwordLogin }),
  section({ method: doc(z.literal('ldap'), 'A name and a password of a directory.'), ...passwordLogin }),
  section({
    method: doc(z.literal('aws'), 'A signed request to STS, or the identity document of the instance.'),
    role,
    type: doc(z.prefault(choice(['iam', 'ec2']), 'iam'), 'Which of the two.'),
    nonce: doc(
      z.optional(text()),
      'Of ec2: what further logins of this instance show; default: one that is made up at the first.',
    ),
    region: doc(
      z.prefault(text(), 'us-east-1'),
      'Another one signs for its own STS endpoint, which the mount must be set to.',
    ),
    header_value: doc(z.optional(text()), 'The value of `X-Vault-AWS-IAM-Server-ID`.'),
    sts_endpoint: doc(
      z.optional(text()),
      'Default: the global endpoint for us-east-1, else that of the region.',
    ),
    ...common,
  }),
  section({
    method: doc(z.literal('alicloud'), 'A signed request to STS of Alibaba Cloud.'),
    role,
    region: doc(text(), 'The region that is signed for.'),
    role_name: doc(
      z.optional(text()),
      'The RAM role of the instance; default `$ALICLOUD_ROLE_NAME`, else the one that it has.',
    ),
    ...common,
  }),
  section({
    method: doc(z.literal('oci'), 'A request signed for Oracle Cloud.'),
    role,
    type: doc(
      z.prefault(choice(['instance', 'apikey']), 'instance'),
      "The instance's own identity, or the API key of a user.",
    ),
    config_file: doc(
      z.optional(text()),
      'The configuration that names the API key; default: `OCI_…` variables, `~/.oci/config`, `$OCI_CONFIG_FILE`.',
    ),
    profile: doc(z.prefault(text(), 'DEFAULT'), 'Its section in there.'),
    ...common,
  }),
  section({
    method: doc(z.literal('kerberos'), 'A ticket of Kerberos, by a keytab.'),
    username: doc(
      text(),
      'The principal of the keytab to log in as; with `@REALM` where it is of another realm.',
    ),
    service: doc(text(), 'The principal of the vault: `HTTP/vault.example.com`.'),
    realm: doc(text(), 'The realm of both.'),
    keytab: doc(text(), 'The file with the keys of `username`.'),
    krb5_conf: doc(
      z.prefault(text(), '/etc/krb5.conf'),
      'The configuration of Kerberos; nobody else may be able to write it.',
    ),
    ...common,
  }),
  section({
    method: doc(z.literal('cf'), 'The certificate of a Cloud Foundry instance.'),
    role,
    cert_file: doc(z.optional(text()), 'The certificate; default `$CF_INSTANCE_CERT`.'),
    key_file: doc(z.optional(text()), 'Its key; default `$CF_INSTANCE_KEY`.'),
    ...common,
  }),
  section({
    method: doc(z.literal('gcp'), 'An identity of Google Cloud.'),
    role,
    type: doc(
      z.prefault(choice(['gce', 'iam']), 'gce'),
      "The instance's identity token, or a JWT signed by IAM.",
    ),
    service_account: doc(z.optional(text()), 'Whose JWT IAM signs; default: the one of the instance.'),
    jwt_life: doc(z.prefault(duration(), '15m'), 'How long that JWT lives; a role may allow less.'),
    ...common,
  }),
  section({
    method: doc(z.literal('azure'), 'A managed identity of Azure.'),
    role,
    resource: doc(
      z.prefault(text(), 'https://management.azure.com/'),
      'For whom the identity token is made.',
    ),
    client_id: doc(
      z.optional(text()),
      'Which of several identities, by its client id; default `$AZURE_CLIENT_ID`.',
    ),
    object_id: doc(z.optional(text()), 'The same by its object id.'),
    scope: doc(z.optional(text()), 'Of a token of Entra; default: `.default` of `resource`.'),
    ...common,
  }),
] as const;

const auth = z.discriminatedUnion('method', [tokenLogin, ...otherLogins], 'a map with `method`');

const sink = section({
  path: doc(text(), 'The file, replaced at each login.'),
  mode: doc(z.prefault(fileMode(), '0600'), 'Its mode.'),
  owner: doc(z.optional(text()), 'Its owner; default: the user of the agent.'),
  group: doc(z.optional(text()), 'Its group.'),
  wrap_ttl: doc(z.optional(duration()), 'Write the token wrapped for so long.'),
  dh_path: doc(
    z.optional(text()),
    "The file with the reader's curve25519 key: the token is written encrypted.",
  ),
  derive_key: doc(z.prefault(flag(), false), 'Derive the key from the shared secret by HKDF.'),
  aad: doc(z.optional(text()), 'Additional data that the encryption authenticates.'),
});

export const vaultSchema = section({
  kind: doc(
    z.optional(z.literal('vault')),
    'HashiCorp Vault or OpenBao; what an upstream is that does not say.',
  ),
  address: doc(
    z.optional(
      z.union(
        [text(), z.array(text()).check(z.minLength(1, 'at least one address'))],
        'an address or a list of them',
      ),
    ),
    'Its URL, or several that are tried in order; default `$VAULT_ADDR`.',
  ),
  namespace: doc(z.optional(text()), 'Default `$VAULT_NAMESPACE`.'),
  auth: doc(
    z.prefault(auth, { method: 'token' }),
    'How the agent logs in; default: the token of `$VAULT_TOKEN`.',
  ),
  sinks: doc(
    z.prefault(z.array(sink, 'a list of maps'), []),
    'Files that hold a copy of the token, for other programs.',
  ),
  events: doc(
    z.prefault(flag(), true),
    'Subscribe to changes where the server can tell of them; polling goes on.',
  ),
  ...serverSchema,
  proxy: doc(
    z.optional(text()),
    'The proxy on the way to it, as `http://proxy.example:3128` or `socks5://…`; name and password in it are never told. Variables of the environment do not count. Through one there are no events: KV secrets are polled.',
  ),
  budget: budgetSchema(500),
  timeout: doc(
    z.optional(duration()),
    'For one request, to the last byte; default `$VAULT_CLIENT_TIMEOUT`, else 60s. What can be asked twice is asked again after a sixth of it (10s at least), at another address or by another connection.',
  ),
});

export type VaultInput = z.output<typeof vaultSchema>;
export type AuthInput = VaultInput['auth'];
