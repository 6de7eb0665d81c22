// sprig's paths, URLs and versions.
import {
  type CallContext,
  callError,
  defineFunction,
  defineMethod,
  type FunctionTable,
  plain,
} from '../../exec/function-table.ts';
import { structType, typeOfName } from '../../value/type.ts';
import {
  anyMap,
  type MapValue,
  openInterface,
  PointerValue,
  StructValue,
  stringOf,
  typeOf,
} from '../../value/value.ts';
import { baseName, cleanPath, dirName, extension } from '../go/path.ts';
import { compareVersions, formatVersion, parseVersion, satisfies, type Version } from '../go/semver.ts';
import { formatUrl, formatUser, hostName, parseUrl } from '../go/url.ts';

const versionType = structType('semver.Version', [], {
  String: versionMethod('string', formatVersion),
  MarshalText: versionMethod('string', formatVersion),
  Major: versionMethod('uint64', (version) => version.major),
  Minor: versionMethod('uint64', (version) => version.minor),
  Patch: versionMethod('uint64', (version) => version.patch),
  Prerelease: versionMethod('string', (version) => version.prerelease),
  Metadata: versionMethod('string', (version) => version.metadata),
  Original: versionMethod('string', (version) => version.original),
  Compare: comparison('int', (order) => BigInt(order)),
  Equal: comparison('bool', (order) => order === 0),
  LessThan: comparison('bool', (order) => order < 0),
  GreaterThan: comparison('bool', (order) => order > 0),
});
const versionPointer = typeOfName('*semver.Version');

function versionMethod<const R extends 'string' | 'uint64'>(
  result: R,
  of: (version: Version) => string | bigint,
) {
  return defineMethod(
    [],
    result,
    (_context, self: PointerValue | StructValue) => of(versionOf(self)) as never,
  );
}

function comparison<const R extends 'int' | 'bool'>(result: R, of: (order: number) => bigint | boolean) {
  return defineMethod(
    ['any'],
    result,
    (_context, self: PointerValue | StructValue, other) =>
      of(compareVersions(versionOf(self), versionOf(other as PointerValue))) as never,
  );
}

function versionOf(value: PointerValue | StructValue): Version {
  const target = value instanceof PointerValue ? value.target : value;
  if (target === null) throw callError`runtime error: invalid memory address or nil pointer dereference`;
  return target.hidden as Version;
}

const textPath = (of: (path: string) => string) =>
  defineFunction(['string'], 'string', (_context, path) => of(path));
const base = textPath(baseName);
const dir = textPath(dirName);
const clean = textPath(cleanPath);
const ext = textPath(extension);
const isAbs = defineFunction(['string'], 'bool', (_context, path) => path.startsWith('/'));

export const sprigPaths: FunctionTable = {
  sprig_base: base,
  sprig_osBase: base,
  sprig_dir: dir,
  sprig_osDir: dir,
  sprig_clean: clean,
  sprig_osClean: clean,
  sprig_ext: ext,
  sprig_osExt: ext,
  sprig_isAbs: isAbs,
  sprig_osIsAbs: isAbs,
  sprig_urlParse: defineFunction(['string'], 'map[string]interface {}', (_context, text) => urlParts(text)),
  sprig_urlJoin: defineFunction(['map[string]interface {}'], 'string', urlJoin),
  sprig_semver: defineFunction(
    ['string'],
    '*semver.Version',
    (_context, text) =>
      new PointerValue(versionPointer, new StructValue(versionType, [], parseVersion(text))),
  ),
  sprig_semverCompare: defineFunction(['string', 'string'], 'bool', (_context, constraint, text) =>
    satisfies(constraint, () => parseVersion(text)),
  ),
};

function urlParts(text: string): MapValue {
  try {
    const url = parseUrl(text);
    return anyMap([
      ['scheme', url.scheme],
      ['host', url.host],
      ['hostname', hostName(url.host)],
      ['path', url.path],
      ['query', url.query],
      ['opaque', url.opaque],
      ['fragment', url.fragment],
      ['userinfo', url.user === undefined ? '' : formatUser(url.user)],
    ]);
  } catch (error) {
    throw callError`unable to parse url: ${error as ReturnType<typeof callError>}`;
  }
}

function urlJoin(_context: CallContext, parts: MapValue): string {
  const [scheme, host, path, query, opaque, fragment, userinfo] = [
    'scheme',
    'host',
    'path',
    'query',
    'opaque',
    'fragment',
    'userinfo',
  ].map((key) => textPart(parts, key)) as [string, string, string, string, string, string, string];
  const user = userinfo === '' ? undefined : parseUser(userinfo);
  return formatUrl({ scheme, host, path, query, opaque, fragment, user });
}

function parseUser(userinfo: string) {
  try {
    return parseUrl(`proto://${userinfo}@host`).user;
  } catch (error) {
    throw callError`unable to parse userinfo in dict: ${error as ReturnType<typeof callError>}`;
  }
}

function textPart(parts: MapValue, key: string): string {
  if (!parts.has(key)) return '';
  const value = openInterface(parts.get(key) ?? null);
  const text = stringOf(value);
  if (text !== null) return text;
  if (value === null) throw callError`runtime error: invalid memory address or nil pointer dereference`;
  throw callError`unable to parse ${plain(key)} key, must be of type string, but ${plain(typeOf(value)?.kind ?? '')} found`;
}
