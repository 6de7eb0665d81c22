// `auto_auth` as the `auth` and `sinks` of an upstream. What an agent refuses only when it starts is told here.
import { resolve } from 'node:path';
import type { Path } from '../../problems.ts';
import type { Draft } from '../draft.ts';
import { looseBoolean, type Said } from '../hcl/block.ts';
import { formatMs, parseSeconds } from '../hcl/duration.ts';
import { sameName } from '../hcl/node.ts';
import type { Origin, Report } from '../hcl/report.ts';
import type { MapTree } from '../hcl/tree.ts';
import type { SaidAutoAuth, SaidMethod, SaidSink } from './said-agent.ts';

const defaultSinkMode = 0o640;

export interface AuthContext {
  readonly draft: Draft;
  readonly report: Report;
  /** Of the upstream. */
  readonly path: Path;
  /** Where relative paths start. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function draftAutoAuth(autoAuth: SaidAutoAuth, context: AuthContext): void {
  const { method, sinks } = autoAuth;
  draftMethod(method, context);
  for (const sink of sinks) draftSink(sink, method, context);
}

/** The keys of `config`, by the types that the method wants. */
interface Settings {
  readonly origin: Origin;
  text(key: string): Said<string> | undefined;
  path(key: string): Said<string> | undefined;
  flag(key: string): Said<boolean> | undefined;
  duration(key: string): Said<number> | undefined;
  integer(key: string): Said<number> | undefined;
  /** Notes each key that nobody asked for. */
  end(known?: readonly string[]): void;
}

function settingsOf(config: MapTree | undefined, origin: Origin, { report, folder }: AuthContext): Settings {
  const known = new Set<string>();

  function read<T>(
    key: string,
    expected: string,
    convert: (value: string | number | boolean) => T | undefined,
  ): Said<T> | undefined {
    known.add(key);
    const entry = config?.entries.get(key);
    if (entry === undefined) return undefined;
    const at: Origin = { file: origin.file, position: entry.value.position, name: `${origin.name}.${key}` };
    const value = entry.value.kind === 'scalar' ? convert(entry.value.value) : undefined;
    if (value === undefined) report.problem(at, `expected ${expected}`);
    return value === undefined ? undefined : { value, origin: at };
  }

  const text = (key: string) =>
    read(key, 'a string in quotes', (value) => (typeof value === 'string' ? value : undefined));
  return {
    origin,
    text,
    path(key) {
      const said = text(key);
      return said && { ...said, value: said.value === '' ? '' : resolve(folder, said.value) };
    },
    flag: (key) =>
      read(key, 'true or false', (value) =>
        typeof value === 'string'
          ? looseBoolean({ kind: 'literal', type: 'string', text: value, position: { line: 0, column: 0 } })
          : typeof value === 'number'
            ? value !== 0
            : value,
      ),
    duration: (key) =>
      read(key, 'a duration such as "30s" or a number of seconds', (value) =>
        typeof value === 'number'
          ? value * 1000
          : typeof value === 'string'
            ? parseSeconds(value)
            : undefined,
      ),
    integer: (key) =>
      read(key, 'a whole number', (value) =>
        typeof value === 'number' && Number.isInteger(value) ? value : undefined,
      ),
    end(more = []) {
      for (const [name, { position }] of config?.entries ?? []) {
        if ([...known, ...more].some((other) => sameName(other, name))) continue;
        report.note(
          'ignored',
          { file: origin.file, position, name: `${origin.name}.${name}` },
          'is no key of this method: it is ignored',
        );
      }
    },
  };
}

/** What each method needs of `config`: keys of `auth` by what is said there. */
const methods: Readonly<Record<string, (settings: Settings, context: MethodContext) => void>> = {
  approle(settings, { set, require }) {
    const wrapping = settings.text('secret_id_response_wrapping_path');
    const remove = settings.flag('remove_secret_id_file_after_reading');
    set('role_id_file', require(settings.path('role_id_file_path'), 'role_id_file_path'));
    const secretId = settings.path('secret_id_file_path');
    set('secret_id_file', secretId?.value === '' ? undefined : secretId);
    if (secretId === undefined || secretId.value === '') return;
    if (remove?.value === false) set('remove_secret_id_file', remove);
    if (wrapping !== undefined) set('secret_id_wrapped', { value: true, origin: wrapping.origin });
  },
  jwt(settings, { set, require, note }) {
    set('path', require(settings.path('path'), 'path'));
    set('role', require(settings.text('role'), 'role'));
    const remove = settings.flag('remove_jwt_after_reading');
    set('remove_file', { value: remove?.value ?? true, origin: remove?.origin ?? settings.origin });
    note(
      settings.flag('remove_jwt_follows_symlinks'),
      'is ignored: the link is removed, and what it leads to stays',
    );
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
  aws(settings, { set, require, problem }) {
    const type = settings.text('type');
    if (type !== undefined && type.value !== 'iam') {
      problem(
        type.origin,
        `expected iam, got ${JSON.stringify(type.value)}: the login by instance documents is not known here`,
      );
    }
    set('role', require(settings.text('role'), 'role'));
    set('region', settings.text('region'));
    set('header_value', settings.text('header_value'));
    for (const key of ['access_key', 'secret_key', 'session_token', 'nonce']) {
      const said = settings.text(key);
      if (said !== undefined && said.value !== '') {
        problem(
          said.origin,
          'secrets do not belong in this file: the credentials of the environment, the profile or the instance are used',
        );
      }
    }
    settings.duration('credential_poll_interval');
  },
  gcp(settings, { set, require }) {
    set('role', require(settings.text('role'), 'role'));
    set('type', settings.text('type'));
    set('service_account', settings.text('service_account'));
    for (const key of ['credentials', 'project', 'jwt_exp']) settings.text(key);
  },
  azure(settings, { set, require, note }) {
    set('role', require(settings.text('role'), 'role'));
    set('resource', require(settings.text('resource'), 'resource'));
    for (const key of ['object_id', 'client_id', 'scope']) {
      note(settings.text(key), 'is ignored: the identity of the machine is used');
    }
    settings.flag('authenticate_from_environment');
  },
  ldap(settings, { set, require, note }) {
    set('username', require(settings.text('username'), 'username'));
    set('password_file', require(settings.path('password_file_path'), 'password_file_path'));
    note(settings.flag('remove_password_after_reading'), 'is ignored: the file stays');
    settings.flag('remove_password_follows_symlinks');
  },
};

interface MethodContext {
  set(key: string, said: Said<unknown> | undefined): void;
  setTls(key: string, said: Said<string> | undefined): void;
  require<T>(said: Said<T> | undefined, key: string): Said<T> | undefined;
  note(said: Said<unknown> | undefined, message: string): void;
  problem(origin: Origin, message: string): void;
}

function draftMethod(method: SaidMethod, context: AuthContext): void {
  const { draft, report } = context;
  const path = [...context.path, 'auth'];
  const type = method.type.value;
  const draftSettings = Object.hasOwn(methods, type) ? methods[type] : undefined;
  if (draftSettings === undefined) {
    report.problem(
      method.type.origin,
      `the method ${JSON.stringify(type)} is not known here; known: ${Object.keys(methods).join(', ')}`,
    );
    return;
  }
  draft.set([...path, 'method'], type, method.type.origin);
  const mount = method.mountPath?.value.replace(/\/+$/, '');
  if (mount !== undefined && mount !== '' && mount !== `auth/${type}`) {
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

function draftSink(sink: SaidSink, method: SaidMethod, context: AuthContext): void {
  const { draft, report, env } = context;
  if (sink.type.value !== 'file') {
    report.problem(
      sink.type.origin,
      `expected file, got ${JSON.stringify(sink.type.value)}: there is no other sink`,
    );
    return;
  }
  const settings = settingsOf(sink.config, sink.configOrigin, context);
  const file = settings.path('path');
  const mode = settings.integer('mode');
  const uid = settings.integer('uid');
  const gid = settings.integer('gid');
  settings.end();
  if (file === undefined || file.value === '') {
    report.problem(settings.origin, 'expected path in config: the file that gets the token');
    return;
  }
  const octal = ((mode?.value ?? defaultSinkMode) & 0o777).toString(8).padStart(4, '0');
  if (mode !== undefined && (mode.value < 0 || mode.value > 0o777)) {
    report.note(
      'differs',
      mode.origin,
      `is a decimal number, of which ${octal} is left as the mode, as there; begin it with 0`,
    );
  }
  const path = draft.add([...context.path, 'sinks'], sink.origin);
  draft.set([...path, 'path'], file.value, file.origin);
  draft.set([...path, 'mode'], octal, mode?.origin ?? sink.origin);
  draft.set(
    [...path, 'owner'],
    uid === undefined ? undefined : String(uid.value),
    uid?.origin ?? sink.origin,
  );
  draft.set(
    [...path, 'group'],
    gid === undefined ? undefined : String(gid.value),
    gid?.origin ?? sink.origin,
  );
  const wrap = [sink.wrapTtl, method.wrapTtl].find((said) => said !== undefined && said.value > 0);
  if (wrap !== undefined) draft.set([...path, 'wrap_ttl'], formatMs(wrap.value), wrap.origin);
  if (sink.dhPath === undefined || sink.dhPath.value === '') return;
  draft.set([...path, 'dh_path'], resolve(context.folder, sink.dhPath.value), sink.dhPath.origin);
  if (sink.deriveKey?.value === true) draft.set([...path, 'derive_key'], true, sink.deriveKey.origin);
  const aad =
    sink.aadVariable === undefined || sink.aadVariable.value === ''
      ? sink.aad?.value
      : env[sink.aadVariable.value];
  draft.set([...path, 'aad'], aad === '' ? undefined : aad, sink.aad?.origin ?? sink.origin);
}
