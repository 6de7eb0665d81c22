// The `method` of `auto_auth` as the `auth` of an upstream: what each method needs of its config, by their names and ours.
import { SecretValue } from '../../../base/secret-value.ts';
import type { Path } from '../../problems.ts';
import type { Draft } from '../draft.ts';
import { type Said, unlessEmpty } from '../hcl/block.ts';
import { formatMs } from '../hcl/duration.ts';
import type { Origin } from '../hcl/report.ts';
import { type AuthContext, type Settings, settingsOf } from './auth-settings.ts';
import type { SaidMethod } from './read-auto-auth.ts';

export function draftMethod(method: SaidMethod, context: AuthContext): void {
  const { draft, report } = context;
  const path = [...context.path, 'auth'];
  const type = method.type.value;
  const name = renamed[type] ?? type;
  const draftSettings = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (draftSettings === undefined) {
    report.problem(
      method.type.origin,
      `the method ${JSON.stringify(type)} is not known here; known: ${Object.keys(methods).join(', ')}`,
    );
    return;
  }
  draft.set([...path, 'method'], name, method.type.origin);
  const said = method.mountPath?.value.replace(/\/+$/, '');
  const mount = said || `auth/${type}`;
  if (mount !== `auth/${name}`) {
    draft.set([...path, 'mount'], mount.replace(/^\/?auth\//, ''), method.mountPath?.origin ?? method.origin);
  }
  const settings = settingsOf(method.config, method.configOrigin, context);
  draftSettings(settings, {
    set: (key, said) => said !== undefined && draft.set([...path, key], said.value, said.origin),
    setTls: (key, said) =>
      said !== undefined &&
      said.value !== '' &&
      draft.set([...context.path, 'tls', key], said.value, said.origin),
    note: (said, message) => said !== undefined && report.note('ignored', said.origin, message),
    problem: report.problem,
    keep: (id, secret, token) => keepKeys(settings, [id, secret, token], context),
    keepKey: (name) => keepKey(unlessEmpty(settings.text(name)), context),
    require(said, key) {
      if (said === undefined || said.value === '')
        report.problem(said?.origin ?? settings.origin, `expected ${key} in config`);
      return said;
    },
  });
  settings.end();
  draftRetries(method, draft, path);
}

function draftRetries(method: SaidMethod, draft: Draft, path: Path): void {
  const namespace = method.namespace?.value.replace(/^\/+|\/+$/g, '');
  draft.set(
    [...path, 'namespace'],
    namespace === '' ? undefined : namespace,
    method.namespace?.origin ?? method.origin,
  );
  for (const [key, said] of [
    ['min_backoff', method.minBackoff],
    ['max_backoff', method.maxBackoff],
  ] as const) {
    if (said !== undefined && said.value > 0) draft.set([...path, key], formatMs(said.value), said.origin);
  }
  if (method.exitOnError?.value === true)
    draft.set([...path, 'exit_on_error'], true, method.exitOnError.origin);
}

/** What a method was called before. Its mount is still called so. */
const renamed: Readonly<Record<string, string>> = { pcf: 'cf' };

/** What each method needs of `config`: keys of `auth` by what is said there. */
const methods: Readonly<Record<string, (settings: Settings, context: MethodContext) => void>> = {
  approle(settings, { set, require }) {
    const wrapping = settings.text('secret_id_response_wrapping_path');
    const remove = settings.flag('remove_secret_id_file_after_reading');
    set('role_id_file', require(settings.path('role_id_file_path'), 'role_id_file_path'));
    const secretId = unlessEmpty(settings.path('secret_id_file_path'));
    set('secret_id_file', secretId);
    if (secretId === undefined) return;
    if (remove?.value === false) set('remove_secret_id_file', remove);
    if (wrapping !== undefined) set('secret_id_wrapped', { value: true, origin: wrapping.origin });
  },
  jwt(settings, { set, require, note }) {
    set('path', require(settings.path('path'), 'path'));
    set('role', require(settings.text('role'), 'role'));
    const remove = settings.flag('remove_jwt_after_reading');
    set('remove_file', { value: remove?.value ?? true, origin: remove?.origin ?? settings.origin });
    const follows = settings.flag('remove_jwt_follows_symlinks');
    if (follows?.value === true) set('remove_target', follows);
    note(settings.duration('jwt_read_period'), 'is ignored: the file is watched');
    settings.flag('skip_delete');
  },
  kubernetes(settings, { set, require }) {
    set('role', require(settings.text('role'), 'role'));
    set('path', settings.path('token_path'));
  },
  cert(settings, { set, setTls, note }) {
    set('name', settings.text('name'));
    setTls('ca_file', settings.path('ca_cert'));
    setTls('cert_file', settings.path('client_cert'));
    setTls('key_file', settings.path('client_key'));
    note(settings.flag('reload'), 'is ignored: certificates are watched, and taken over when they change');
  },
  token_file(settings, { set, require }) {
    set('path', require(settings.path('token_file_path'), 'token_file_path'));
  },
  aws(settings, { set, require, problem, keep }) {
    const type = settings.text('type');
    if (type !== undefined && type.value !== 'iam' && type.value !== 'ec2')
      problem(type.origin, `expected iam or ec2, got ${JSON.stringify(type.value)}`);
    else set('type', type);
    set('role', require(settings.text('role'), 'role'));
    set('region', settings.text('region'));
    set('header_value', settings.text('header_value'));
    const nonce = unlessEmpty(settings.text('nonce'));
    if (type?.value === 'ec2') set('nonce', nonce);
    keep('access_key', 'secret_key', 'session_token');
    settings.duration('credential_poll_interval');
  },
  alicloud(settings, { set, require, note, keep }) {
    set('role', require(settings.text('role'), 'role'));
    set('region', require(settings.text('region'), 'region'));
    set('role_name', settings.text('role_name'));
    keep('access_key', 'access_secret', 'access_token');
    settings.duration('credential_poll_interval');
    for (const key of ['role_arn', 'role_session_name', 'public_key_id', 'private_key'])
      note(
        settings.text(key),
        'is ignored: the keys of the environment or of the instance are used as they are',
      );
    for (const key of ['role_session_expiration', 'session_expiration']) settings.integer(key);
  },
  oci(settings, { set, require, problem }) {
    const type = require(settings.text('type'), 'type');
    if (type !== undefined && type.value !== '' && type.value !== 'apikey' && type.value !== 'instance')
      problem(type.origin, `expected apikey or instance, got ${JSON.stringify(type.value)}`);
    else set('type', type);
    set('role', require(settings.text('role'), 'role'));
    settings.duration('credential_poll_interval');
  },
  kerberos(settings, { set, require, note }) {
    for (const key of ['username', 'service', 'realm']) set(key, require(settings.text(key), key));
    set('keytab', require(settings.path('keytab_path'), 'keytab_path'));
    set('krb5_conf', require(settings.path('krb5conf_path'), 'krb5conf_path'));
    note(
      settings.flag('disable_fast_negotiation'),
      'is ignored: the library of Kerberos agrees on it with the KDC by itself',
    );
  },
  cf(settings, { set, require }) {
    set('role', require(settings.text('role'), 'role'));
  },
  gcp(settings, { set, require, keepKey }) {
    set('role', require(settings.text('role'), 'role'));
    set('type', settings.text('type'));
    set('service_account', settings.text('service_account'));
    const minutes = settings.looseInteger('jwt_exp');
    if (minutes !== undefined && minutes.value > 0)
      set('jwt_life', { value: formatMs(minutes.value * 60_000), origin: minutes.origin });
    keepKey('credentials');
    settings.text('project');
  },
  azure(settings, { set, require, problem }) {
    set('role', require(settings.text('role'), 'role'));
    set('resource', require(settings.text('resource'), 'resource'));
    const [client, object] = [settings.text('client_id'), settings.text('object_id')];
    if (client?.value && object?.value)
      problem(object.origin, 'names an identity, and so does client_id: expected one of them');
    for (const [key, said] of [
      ['client_id', client],
      ['object_id', object],
      ['scope', settings.text('scope')],
    ] as const)
      set(key, unlessEmpty(said));
    settings.flag('authenticate_from_environment');
  },
  ldap(settings, { set, require, note }) {
    set('username', require(settings.text('username'), 'username'));
    set('password_file', require(settings.path('password_file_path'), 'password_file_path'));
    const remove = settings.flag('remove_password_after_reading');
    set('remove_file', { value: remove?.value ?? true, origin: remove?.origin ?? settings.origin });
    const follows = settings.flag('remove_password_follows_symlinks');
    if (follows?.value === true) set('remove_target', follows);
    note(settings.duration('password_read_period'), 'is ignored: the file is watched');
  },
};

/** What stands in the file is used, as there: who may read the file may use them too. */
function keepKeys(
  settings: Settings,
  names: readonly [id: string, secret: string, token: string],
  { draft, report }: AuthContext,
): void {
  const [id, secret, token] = names.map((name) => unlessEmpty(settings.text(name)));
  if (id === undefined && secret === undefined) return;
  if (id === undefined || secret === undefined) {
    report.problem(id?.origin ?? secret?.origin ?? settings.origin, `expected ${names[0]} and ${names[1]}`);
    return;
  }
  draft.keepCloudKeys({
    id: id.value,
    secret: SecretValue.fromText(secret.value),
    sessionToken: token && SecretValue.fromText(token.value),
  });
  noteKept(secret, report);
}

function keepKey(said: Said<string> | undefined, { draft, report }: AuthContext): void {
  if (said === undefined) return;
  draft.keepCloudKeys({ id: '', secret: SecretValue.fromText(said.value), sessionToken: undefined });
  noteKept(said, report);
}

function noteKept({ origin }: Said<string>, report: AuthContext['report']): void {
  report.note(
    'differs',
    origin,
    'stands in the file for all who may read it, and does not come into latchkey.yaml: the credentials of the environment, a profile or the instance are used where the file has none',
  );
}

interface MethodContext {
  set(key: string, said: Said<unknown> | undefined): void;
  setTls(key: string, said: Said<string> | undefined): void;
  require<T>(said: Said<T> | undefined, key: string): Said<T> | undefined;
  note(said: Said<unknown> | undefined, message: string): void;
  problem(origin: Origin, message: string): void;
  /** Keys of a cloud, by the names of theirs. */
  keep(id: string, secret: string, token: string): void;
  /** The same of one that is a text of its own. */
  keepKey(name: string): void;
}
