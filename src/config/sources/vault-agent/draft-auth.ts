// `auto_auth` as the `auth` and `sinks` of an upstream. What an agent refuses only when it starts is told here.
import { resolve } from 'node:path';
import { unlessEmpty } from '../hcl/block.ts';
import { formatMs } from '../hcl/duration.ts';
import { type AuthContext, settingsOf } from './auth-settings.ts';
import { draftMethod } from './draft-method.ts';
import type { SaidAutoAuth, SaidMethod, SaidSink } from './read-auto-auth.ts';

const defaultSinkMode = 0o640;

export function draftAutoAuth(autoAuth: SaidAutoAuth, context: AuthContext): void {
  const { method, sinks } = autoAuth;
  draftMethod(method, context);
  for (const sink of sinks) draftSink(sink, method, context);
}

function draftSink(sink: SaidSink, method: SaidMethod, context: AuthContext): void {
  const { draft, report } = context;
  if (sink.type.value !== 'file') {
    report.problem(
      sink.type.origin,
      `expected file, got ${JSON.stringify(sink.type.value)}: there is no other sink`,
    );
    return;
  }
  const settings = settingsOf(sink.config, sink.configOrigin, context);
  const file = unlessEmpty(settings.path('path'));
  const mode = settings.integer('mode');
  const uid = settings.integer('uid');
  const gid = settings.integer('gid');
  settings.end();
  if (file === undefined) {
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
  draft.set([...path, 'owner'], uid && String(uid.value), uid?.origin ?? sink.origin);
  draft.set([...path, 'group'], gid && String(gid.value), gid?.origin ?? sink.origin);
  draftSealing(sink, method, path, context);
}

function draftSealing(
  sink: SaidSink,
  method: SaidMethod,
  path: AuthContext['path'],
  context: AuthContext,
): void {
  const { draft, env } = context;
  const wrap = [sink.wrapTtl, method.wrapTtl].find((said) => said !== undefined && said.value > 0);
  if (wrap !== undefined) draft.set([...path, 'wrap_ttl'], formatMs(wrap.value), wrap.origin);
  const dhPath = unlessEmpty(sink.dhPath);
  if (dhPath === undefined) return;
  draft.set([...path, 'dh_path'], resolve(context.folder, dhPath.value), dhPath.origin);
  if (sink.deriveKey?.value === true) draft.set([...path, 'derive_key'], true, sink.deriveKey.origin);
  const variable = unlessEmpty(sink.aadVariable);
  const aad = variable === undefined ? sink.aad?.value : env[variable.value];
  draft.set([...path, 'aad'], aad === '' ? undefined : aad, sink.aad?.origin ?? sink.origin);
}
