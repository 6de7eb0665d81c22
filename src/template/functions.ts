// All functions that templates may call: which theme has which, so that parsing knows every name and loads only the
// themes that a template uses (some bring a large library). The functions themselves are in functions/*.ts.
import { builtins } from './exec/builtins.ts';
import type { FunctionTable, TemplateFunction } from './exec/function-table.ts';

interface Theme {
  readonly names: readonly string[];
  load(): Promise<FunctionTable>;
}

const randomNames = words('sprig_bcrypt sprig_encryptAES sprig_htpasswd sprig_randInt sprig_shuffle');

const themes: readonly Theme[] = [
  {
    names: words(`secret secrets secretOrDefault secretExists field fields`),
    load: async () => (await import('./functions/consul-template/vault.ts')).vault,
  },
  {
    names: words(`pkiCert`),
    load: async () => (await import('./functions/consul-template/pki-certificate.ts')).pkiCertificate,
  },
  {
    names: words(`env mustEnv envOrDefault`),
    load: async () => (await import('./functions/consul-template/env.ts')).env,
  },
  {
    names: words(`file writeToFile plugin`),
    load: async () => (await import('./functions/consul-template/files.ts')).files,
  },
  {
    names: words(`scratch`),
    load: async () => (await import('./functions/consul-template/scratch.ts')).scratch,
  },
  {
    names: words(`executeTemplate timestamp`),
    load: async () => (await import('./functions/consul-template/local.ts')).local,
  },
  {
    names: words(`sockaddr`),
    load: async () => (await import('./functions/consul-template/sockaddr.ts')).sockaddr,
  },
  {
    names: words(
      `trim trimPrefix trimSuffix trimSpace toLower toUpper toTitle replaceAll split join splitToMap indent`,
    ),
    load: async () => (await import('./functions/consul-template/strings.ts')).strings,
  },
  {
    names: words(`regexMatch regexReplaceAll`),
    load: async () => (await import('./functions/consul-template/regex.ts')).regex,
  },
  {
    names: words(`base64Encode base64Decode base64URLEncode base64URLDecode sha256Hex md5sum hmacSHA256Hex`),
    load: async () => (await import('./functions/consul-template/encoding.ts')).encoding,
  },
  {
    names: words(`parseBool parseInt parseUint parseFloat parseJSON`),
    load: async () => (await import('./functions/consul-template/parsing.ts')).parsing,
  },
  {
    names: words(`toJSON toJSONPretty toUnescapedJSON toUnescapedJSONPretty`),
    load: async () => (await import('./functions/consul-template/json.ts')).json,
  },
  {
    names: words(`
      quoteConfigParser quoteConnString quoteDotenv quoteIni quoteMyCnf quoteNetrc quoteNpmrc quotePHP quotePgService
      quotePgpass quoteProperties quoteShell quoteSystemd quoteURL quoteXML
    `),
    load: async () => (await import('./functions/quoting/quoting.ts')).quoting,
  },
  {
    names: words(`parseYAML toYAML`),
    load: async () => (await import('./functions/consul-template/yaml.ts')).yaml,
  },
  {
    names: words(`toTOML`),
    load: async () => (await import('./functions/consul-template/toml.ts')).toml,
  },
  {
    names: words(`
      contains containsAll containsAny containsNone containsNotAll in explodeMap mergeMap
      mergeMapWithOverride loop
    `),
    load: async () => (await import('./functions/consul-template/collections.ts')).collections,
  },
  {
    names: words(`add subtract multiply divide modulo minimum maximum`),
    load: async () => (await import('./functions/consul-template/math.ts')).math,
  },
  {
    names: words(`spew_dump spew_printf spew_sdump spew_sprintf`),
    load: async () => (await import('./functions/consul-template/debug.ts')).debug,
  },
  {
    names: words(`
      byKey byMeta byPort byTag caLeaf caRoots connect datacenters explode exportedServices
      importedServices key keyExists keyOrDefault ls node nodes partitions peerings safeLs safeTree
      service services tree nomadService nomadServices nomadVar nomadVarExists nomadVarList
      nomadVarListSafe
    `),
    load: async () => (await import('./functions/consul-template/consul.ts')).consul,
  },
  {
    names: words(`
      sprig_abbrev sprig_abbrevboth sprig_camelcase sprig_cat sprig_contains sprig_hasPrefix
      sprig_hasSuffix sprig_hello sprig_indent sprig_initials sprig_join sprig_kebabcase sprig_lower
      sprig_nindent sprig_nospace sprig_plural sprig_quote sprig_repeat sprig_replace sprig_shuffle
      sprig_snakecase sprig_sortAlpha sprig_split sprig_splitList sprig_splitn sprig_squote sprig_substr
      sprig_swapcase sprig_title sprig_toString sprig_toStrings sprig_trim sprig_trimAll sprig_trimPrefix
      sprig_trimSuffix sprig_trimall sprig_trunc sprig_untitle sprig_upper sprig_wrap sprig_wrapWith
    `),
    load: async () => (await import('./functions/sprig/sprig-strings.ts')).sprigStrings,
  },
  {
    names: words(`
      sprig_mustRegexFind sprig_mustRegexFindAll sprig_mustRegexMatch sprig_mustRegexReplaceAll
      sprig_mustRegexReplaceAllLiteral sprig_mustRegexSplit sprig_regexFind sprig_regexFindAll
      sprig_regexMatch sprig_regexQuoteMeta sprig_regexReplaceAll sprig_regexReplaceAllLiteral
      sprig_regexSplit
    `),
    load: async () => (await import('./functions/sprig/sprig-regex.ts')).sprigRegex,
  },
  {
    names: words(`
      sprig_add sprig_add1 sprig_add1f sprig_addf sprig_atoi sprig_biggest sprig_ceil sprig_div sprig_divf
      sprig_float64 sprig_floor sprig_int sprig_int64 sprig_max sprig_maxf sprig_min sprig_minf sprig_mod
      sprig_mul sprig_mulf sprig_round sprig_seq sprig_sub sprig_subf sprig_toDecimal
      sprig_until sprig_untilStep
    `),
    load: async () => (await import('./functions/sprig/sprig-math.ts')).sprigMath,
  },
  {
    names: words(`
      sprig_append sprig_chunk sprig_compact sprig_concat sprig_first sprig_has sprig_initial sprig_last
      sprig_list sprig_mustAppend sprig_mustChunk sprig_mustCompact sprig_mustFirst sprig_mustHas
      sprig_mustInitial sprig_mustLast sprig_mustPrepend sprig_mustPush sprig_mustRest sprig_mustReverse
      sprig_mustSlice sprig_mustUniq sprig_mustWithout sprig_prepend sprig_push sprig_rest sprig_reverse
      sprig_slice sprig_tuple sprig_uniq sprig_without
    `),
    load: async () => (await import('./functions/sprig/sprig-lists.ts')).sprigLists,
  },
  {
    names: words(`
      sprig_deepCopy sprig_deepEqual sprig_dict sprig_dig sprig_get sprig_hasKey sprig_keys sprig_merge
      sprig_mergeOverwrite sprig_mustDeepCopy sprig_mustMerge sprig_mustMergeOverwrite sprig_omit
      sprig_pick sprig_pluck sprig_set sprig_unset sprig_values
    `),
    load: async () => (await import('./functions/sprig/sprig-dicts.ts')).sprigDicts,
  },
  {
    names: words(`
      sprig_all sprig_any sprig_coalesce sprig_default sprig_empty sprig_fail sprig_fromJson sprig_kindIs
      sprig_kindOf sprig_mustFromJson sprig_mustToJson sprig_mustToPrettyJson sprig_mustToRawJson
      sprig_ternary sprig_toJson sprig_toPrettyJson sprig_toRawJson sprig_typeIs sprig_typeIsLike
      sprig_typeOf
    `),
    load: async () => (await import('./functions/sprig/sprig-defaults.ts')).sprigDefaults,
  },
  {
    names: words(
      `sprig_adler32sum sprig_b32dec sprig_b32enc sprig_b64dec sprig_b64enc sprig_sha1sum sprig_sha256sum sprig_sha512sum`,
    ),
    load: async () => (await import('./functions/sprig/sprig-encoding.ts')).sprigEncoding,
  },
  {
    names: words(`
      sprig_buildCustomCert sprig_decryptAES sprig_derivePassword
      sprig_genCA sprig_genCAWithKey sprig_genPrivateKey sprig_genSelfSignedCert
      sprig_genSelfSignedCertWithKey sprig_genSignedCert sprig_genSignedCertWithKey
    `),
    load: async () => (await import('./functions/sprig/sprig-crypto.ts')).sprigCrypto,
  },
  {
    names: randomNames,
    load: async () => (await import('./functions/sprig/sprig-random.ts')).sprigRandom,
  },
  {
    names: words(`
      sprig_base sprig_clean sprig_dir sprig_ext sprig_isAbs sprig_osBase sprig_osClean sprig_osDir
      sprig_osExt sprig_osIsAbs sprig_urlJoin sprig_urlParse sprig_semver sprig_semverCompare
    `),
    load: async () => (await import('./functions/sprig/sprig-paths.ts')).sprigPaths,
  },
  {
    names: words(`
      sprig_ago sprig_duration sprig_durationRound sprig_mustDateModify sprig_mustToDate
      sprig_must_date_modify sprig_toDate sprig_unixEpoch
    `),
    load: async () => (await import('./functions/sprig/sprig-time.ts')).sprigTime,
  },
];

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const themeOf = new Map(themes.flatMap((theme) => theme.names.map((name) => [name, theme] as const)));

/** Whether a template may call a function of this name. */
export function isFunctionName(name: string): boolean {
  return Object.hasOwn(builtins, name) || themeOf.has(name);
}

/** Whether it gives another result at each execution. */
export function isRandomFunction(name: string): boolean {
  return randomNames.includes(name);
}

/** Every name, for hints. */
export function functionNames(): readonly string[] {
  return [...Object.keys(builtins), ...themeOf.keys()];
}

/** The functions with these names; loads the themes that have them. Unknown names are left out. */
export async function loadFunctions(names: Iterable<string>): Promise<Map<string, TemplateFunction>> {
  const found = new Map<string, TemplateFunction>();
  for (const name of names) {
    const table = Object.hasOwn(builtins, name) ? builtins : await themeOf.get(name)?.load();
    const declared = table?.[name];
    if (declared !== undefined) found.set(name, declared);
  }
  return found;
}
