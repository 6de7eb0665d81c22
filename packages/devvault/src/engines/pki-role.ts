// What a PKI role lets be issued: which names, for how long, with which key. Pure but for its errors.
import { isIP } from 'node:net';
import type { JsonObject } from '../../../../src/base/text/json.ts';
import { boolField, intField, listField, secondsField, textField } from '../fields.ts';
import { globMatches } from '../policy/glob.ts';
import { badRequest } from '../vault-error.ts';
import type { KeyType } from './pki-certificates.ts';

export interface PkiRole {
  readonly allowedDomains: readonly string[];
  readonly allowAnyName: boolean;
  readonly allowBareDomains: boolean;
  readonly allowGlobDomains: boolean;
  readonly allowIpSans: boolean;
  readonly allowLocalhost: boolean;
  readonly allowSubdomains: boolean;
  readonly allowWildcards: boolean;
  readonly isEnforcingHostnames: boolean;
  readonly allowedUriSans: readonly string[];
  readonly isServer: boolean;
  readonly isClient: boolean;
  readonly keyType: KeyType;
  readonly keyBits: number;
  readonly ttlSeconds: number;
  readonly maxTtlSeconds: number;
  readonly notBeforeSeconds: number;
  readonly hasLease: boolean;
  readonly isStored: boolean;
  readonly needsCommonName: boolean;
}

const keyTypes: readonly string[] = ['rsa', 'ec', 'ed25519'];

export function readPkiRole(data: JsonObject): PkiRole {
  const keyType = textField(data, 'key_type', 'rsa');
  if (!keyTypes.includes(keyType)) throw badRequest(`unknown key type: ${keyType}`);
  return {
    allowedDomains: listField(data, 'allowed_domains'),
    allowAnyName: boolField(data, 'allow_any_name'),
    allowBareDomains: boolField(data, 'allow_bare_domains'),
    allowGlobDomains: boolField(data, 'allow_glob_domains'),
    allowIpSans: boolField(data, 'allow_ip_sans', true),
    allowLocalhost: boolField(data, 'allow_localhost', true),
    allowSubdomains: boolField(data, 'allow_subdomains'),
    allowWildcards: boolField(data, 'allow_wildcard_certificates', true),
    isEnforcingHostnames: boolField(data, 'enforce_hostnames', true),
    allowedUriSans: listField(data, 'allowed_uri_sans'),
    isServer: boolField(data, 'server_flag', true),
    isClient: boolField(data, 'client_flag', true),
    keyType: keyType as KeyType,
    keyBits: intField(data, 'key_bits'),
    ttlSeconds: secondsField(data, 'ttl'),
    maxTtlSeconds: secondsField(data, 'max_ttl'),
    notBeforeSeconds: secondsField(data, 'not_before_duration', 30),
    hasLease: boolField(data, 'generate_lease'),
    isStored: !boolField(data, 'no_store'),
    needsCommonName: boolField(data, 'require_cn', true),
  };
}

// What the real engine shows too, and this one has no use for.
const unusedFields = {
  allow_token_displayname: false,
  allowed_domains_template: false,
  allowed_other_sans: [],
  allowed_serial_numbers: [],
  allowed_uri_sans_template: false,
  allowed_user_ids: [],
  basic_constraints_valid_for_non_ca: false,
  cn_validations: ['email', 'hostname'],
  code_signing_flag: false,
  country: [],
  email_protection_flag: false,
  ext_key_usage: [],
  ext_key_usage_oids: [],
  key_usage: ['DigitalSignature', 'KeyAgreement', 'KeyEncipherment'],
  locality: [],
  not_after: '',
  organization: [],
  ou: [],
  policy_identifiers: [],
  postal_code: [],
  province: [],
  signature_bits: 256,
  street_address: [],
  use_csr_common_name: true,
  use_csr_sans: true,
  use_pss: false,
};

export function describePkiRole(role: PkiRole): object {
  return {
    ...unusedFields,
    allow_any_name: role.allowAnyName,
    allow_bare_domains: role.allowBareDomains,
    allow_glob_domains: role.allowGlobDomains,
    allow_ip_sans: role.allowIpSans,
    allow_localhost: role.allowLocalhost,
    allow_subdomains: role.allowSubdomains,
    allow_wildcard_certificates: role.allowWildcards,
    allowed_domains: role.allowedDomains,
    allowed_uri_sans: role.allowedUriSans,
    client_flag: role.isClient,
    enforce_hostnames: role.isEnforcingHostnames,
    generate_lease: role.hasLease,
    issuer_ref: 'default',
    key_bits: role.keyBits || (role.keyType === 'rsa' ? 2048 : role.keyType === 'ec' ? 256 : 0),
    key_type: role.keyType,
    max_ttl: role.maxTtlSeconds,
    no_store: !role.isStored,
    not_before_duration: role.notBeforeSeconds,
    require_cn: role.needsCommonName,
    server_flag: role.isServer,
    ttl: role.ttlSeconds,
  };
}

export interface RequestedNames {
  commonName: string;
  dnsNames: string[];
  ipAddresses: string[];
  uris: string[];
}

/** The names of an issue request; refuses those that the role does not allow. */
export function chooseNames(role: PkiRole, data: JsonObject, csrCommonName = ''): RequestedNames {
  const commonName = textField(data, 'common_name', csrCommonName);
  if (commonName === '' && role.needsCommonName) {
    throw badRequest(
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    );
  }
  if (commonName !== '' && !isNameAllowed(role, commonName))
    throw badRequest(`common name ${commonName} not allowed by this role`);
  const altNames = listField(data, 'alt_names');
  for (const name of altNames)
    if (!isNameAllowed(role, name))
      throw badRequest(`subject alternate name ${name} not allowed by this role`);
  const isHost =
    commonName !== '' && !commonName.includes('@') && hostname.test(commonName.replace(/^\*\./, ''));
  const withCommonName = isHost && !boolField(data, 'exclude_cn_from_sans');
  const dnsNames = [...new Set([...(withCommonName ? [commonName] : []), ...altNames])];
  return { commonName, dnsNames, ipAddresses: chooseIps(role, data), uris: chooseUris(role, data) };
}

function chooseIps(role: PkiRole, data: JsonObject): string[] {
  const ips = listField(data, 'ip_sans');
  if (ips.length > 0 && !role.allowIpSans)
    throw badRequest(
      'IP Subject Alternative Names are not allowed in this role, but was provided some via the API',
    );
  for (const ip of ips) if (isIP(ip) === 0) throw badRequest(`the value "${ip}" is not a valid IP address`);
  return ips;
}

function chooseUris(role: PkiRole, data: JsonObject): string[] {
  const uris = listField(data, 'uri_sans');
  if (uris.length > 0 && role.allowedUriSans.length === 0) {
    throw badRequest(
      'URI Subject Alternative Names are not allowed in this role, but were provided via the API',
    );
  }
  for (const uri of uris) {
    if (!role.allowedUriSans.some((glob) => globMatches(glob, uri))) {
      throw badRequest(
        'URI Subject Alternative Names were provided via the API which are not valid for this role',
      );
    }
  }
  return uris;
}

const hostname =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

function isNameAllowed(role: PkiRole, name: string): boolean {
  const isWildcard = name.startsWith('*.');
  const bare = isWildcard ? name.slice(2) : name;
  if (isWildcard && !role.allowWildcards) return false;
  if (role.isEnforcingHostnames && !hostname.test(bare)) return false;
  if (role.allowAnyName) return true;
  if (role.allowLocalhost && ['localhost', 'localdomain'].includes(bare) && !isWildcard) return true;
  return role.allowedDomains.some((domain) => {
    if (role.allowBareDomains && !isWildcard && bare === domain) return true;
    if (role.allowSubdomains && (bare.endsWith(`.${domain}`) || (isWildcard && bare === domain))) return true;
    return role.allowGlobDomains && domain.includes('*') && globMatches(domain, name);
  });
}

/** Seconds of life: the request's, else the role's, else the mount's; capped, with a warning. */
export function chooseLife(
  role: PkiRole,
  asked: number,
  mount: { defaultSeconds: number; maxSeconds: number },
) {
  const max = role.maxTtlSeconds || mount.maxSeconds;
  const wanted = asked || role.ttlSeconds || mount.defaultSeconds;
  const warnings =
    wanted > max
      ? [`TTL "${wanted}s" is longer than permitted maxTTL "${max}s", so maxTTL is being used`]
      : [];
  return { seconds: Math.min(wanted, max), warnings };
}
