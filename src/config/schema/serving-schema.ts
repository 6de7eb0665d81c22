// The schema of `listeners`, `access` and `audit`: who is served what, where, and what is recorded.
import * as z from 'zod/mini';
import {
  byteSize,
  choice,
  count,
  doc,
  duration,
  fileMode,
  flag,
  name,
  section,
  text,
  textList,
} from './fields.ts';

const dialect = choice(['secrets', 'vault', 'aws', 'metrics', 'admin', 'systemd', 'hooks']);

const anySecret = section({
  upstream: doc(text(), 'The upstream of kind aws.'),
  ttl: doc(z.prefault(duration(), '300s'), 'An answer is given again for this long; 0: never.'),
  cache_size: doc(
    z.prefault(count(1), 1000),
    'How many answers are kept; the one asked for longest ago goes.',
  ),
  serve_stale: doc(
    z.prefault(flag(), true),
    'When AWS cannot be asked, what was got before is given again, for a day at most.',
  ),
  path_prefix: doc(
    z.prefault(text().check(z.regex(/^\/./, 'a path that begins with /')), '/v1/'),
    'Where ids are asked for by path.',
  ),
});

export const listenerSchema = section({
  unix: doc(z.optional(text()), 'The path of a unix socket, or `@name` for an abstract address.'),
  tcp: doc(z.optional(text()), 'Or HOST:PORT; loopback only, unless `allow_remote` and `tls` are both set.'),
  systemd: doc(z.optional(text()), 'Or a socket that systemd hands over, by its `FileDescriptorName`.'),
  serve: doc(
    z.prefault(z.array(dialect, 'a list of dialects').check(z.minLength(1, 'at least one dialect')), [
      'secrets',
    ]),
    'The dialects: secrets, vault, aws, metrics, admin, systemd, hooks.',
  ),
  mode: doc(z.optional(fileMode()), 'Mode of a unix socket: a quoted octal number; default "0600".'),
  user: doc(z.optional(text()), 'Owner of a unix socket.'),
  group: doc(z.optional(text()), 'Group of a unix socket.'),
  token_file: doc(
    z.optional(
      z.union(
        [
          text(),
          section({
            path: doc(text(), 'The file.'),
            owner: doc(z.optional(text()), 'Who may read it: the user of the programs that ask.'),
            group: doc(z.optional(text()), 'Or a group of theirs.'),
            mode: doc(z.optional(fileMode()), 'Default "0600", with a group "0640".'),
          }),
        ],
        'a path, or a map with path, owner, group and mode',
      ),
    ),
    'For tcp: the agent writes a token there (0600 and its own, or as the map says), wanted on every request but those of hooks.',
  ),
  token_env: doc(
    z.optional(textList().check(z.minLength(1, 'a list that is not empty'))),
    'Or, for tcp: variables, of which the first that is set has the token, or says where it lies: `file:///PATH`.',
  ),
  token_headers: doc(
    z.optional(textList().check(z.minLength(1, 'a list that is not empty'))),
    'For tcp: the headers that may show the token; default `Authorization`, `X-Vault-Token` and `X-Aws-Parameters-Secrets-Token`.',
  ),
  allow_remote: doc(z.optional(flag()), 'For tcp: listen beyond loopback; needs `tls`.'),
  tls: doc(
    z.optional(
      section({
        cert_file: doc(text(), 'The certificate chain.'),
        key_file: doc(text(), 'Its key.'),
      }),
    ),
    'For tcp: serve HTTPS.',
  ),
  open: doc(
    z.prefault(flag(), false),
    'Serve whoever reaches it, without a token or a rule, as the listeners of Vault Agent do; for `vault` and `metrics` alone.',
  ),
  max_connections: doc(z.prefault(count(1), 16_384), 'More are refused with 503.'),
  aws: doc(
    z.optional(anySecret),
    'The AWS dialect also serves secrets of this upstream that have no name under `secrets`: whatever its credentials and the rules in `access` allow, by its id.',
  ),
  require_request_header: doc(
    z.prefault(flag(), false),
    'Refuse requests without `X-Vault-Request: true` in the Vault dialect (412).',
  ),
  enable_quit: doc(z.prefault(flag(), false), '`POST /agent/v1/quit` ends the agent.'),
  use_auto_auth_token: doc(
    z.prefault(z.union([flag(), z.literal('force')], 'true, false or force'), true),
    "The Vault dialect adds the agent's token: to requests without one (true), to none (false), or in place of any (force).",
  ),
});

const client = section({
  user: doc(z.optional(text()), 'The name of the user.'),
  uid: doc(z.optional(count(0)), 'Or the uid.'),
  group: doc(z.optional(text()), 'A group of the caller, supplementary ones too.'),
  gid: doc(z.optional(count(0)), 'Or the gid.'),
  exe: doc(z.optional(text()), 'The executable. It is no security boundary: prefer user and unit.'),
  unit: doc(z.optional(text()), 'The unit of systemd.'),
  container: doc(z.optional(text()), 'The id of the container, or the start of it.'),
  token: doc(
    z.optional(text()),
    'A caller over tcp that showed the token of this listener: `listeners[1]`, or the path of its token file.',
  ),
});

const method = choice(['GET', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']);

export const accessRuleSchema = section({
  name: doc(name(), 'What the audit calls this rule.'),
  client: doc(client, 'Who: all that are named must match.'),
  allow: doc(z.prefault(textList(), []), 'Names from `secrets`; `*` at the end of one stands for any rest.'),
  vault: doc(
    z.prefault(
      z.array(
        section({
          path: doc(
            text(),
            "A path of the Vault API without /v1/, seen from the upstream's namespace (outside of it: `//NAMESPACE/PATH`); `*` at its end stands for any rest.",
          ),
          methods: doc(z.prefault(z.array(method, 'a list of methods'), ['GET']), 'The methods.'),
        }),
        'a list of maps',
      ),
      [],
    ),
    'Which requests of the Vault dialect.',
  ),
  admin: doc(z.prefault(flag(), false), 'May see status, refresh and reload.'),
});

export const accessSchema = section({
  strict: doc(z.prefault(flag(), false), "Root and the agent's own user need a rule too."),
  rules: doc(z.prefault(z.array(accessRuleSchema, 'a list of rules'), []), 'The rules.'),
});

export const auditSchema = section({
  file: doc(text(), 'Where the audit trail goes: a line of JSON for each decision.'),
  on_failure: doc(
    z.prefault(choice(['deny', 'continue']), 'deny'),
    'What happens when it cannot be written: nothing is served, or serving goes on.',
  ),
  max_size: doc(z.prefault(byteSize(), '64MiB'), 'A new file is begun at this size; 0: only on HUP.'),
  keep: doc(z.prefault(count(0), 8), 'How many old files stay; 0: all.'),
});

export type ListenerInput = z.output<typeof listenerSchema>;
export type AccessRuleInput = z.output<typeof accessRuleSchema>;
export type AuditInput = z.output<typeof auditSchema>;
