// URLs as Go's net/url takes them apart and puts them together. Byte strings.
import { isIP } from 'node:net';
import { type CallError, callError, type ErrorPart, plain, quoted } from '../../exec/function-table.ts';

export interface UserInfo {
  readonly username: string;
  /** Undefined when there is no colon. */
  readonly password: string | undefined;
}

export interface ParsedUrl {
  readonly scheme: string;
  readonly opaque: string;
  readonly user: UserInfo | undefined;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

type Section = 'host' | 'zone' | 'user' | 'path' | 'fragment';

/** What is wrong with a URL; the URL itself is put in front by `parseUrl`. */
class UrlFault extends Error {
  readonly what: CallError;

  constructor(what: CallError) {
    super('a URL that cannot be parsed');
    this.what = what;
  }
}

/** Throws `parse "…": what is wrong`. */
export function parseUrl(text: string): ParsedUrl {
  const at = text.indexOf('#');
  const withoutFragment = at < 0 ? text : text.slice(0, at);
  const parsed = faultOf(withoutFragment, () => parseParts(withoutFragment));
  const fragment = faultOf(text, () => unescapeIn(at < 0 ? '' : text.slice(at + 1), 'fragment'));
  return { ...parsed, fragment };
}

function faultOf<T>(text: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof UrlFault) throw callError`parse ${quoted(text)}: ${error.what}`;
    throw error;
  }
}

function fault(text: string, value?: ErrorPart): UrlFault {
  return new UrlFault(value === undefined ? callError`${plain(text)}` : callError`${plain(text)}${value}`);
}

const noParts: ParsedUrl = {
  scheme: '',
  opaque: '',
  user: undefined,
  host: '',
  path: '',
  query: '',
  fragment: '',
};

function parseParts(text: string): ParsedUrl {
  if (/[\0-\x1f\x7f]/.test(text)) throw fault('net/url: invalid control character in URL');
  if (text === '*') return { ...noParts, path: '*' };
  if (text.startsWith(':')) throw fault('missing protocol scheme');
  const [prefix = '', name = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text) ?? [];
  const scheme = name.toLowerCase();
  const rest = text.slice(prefix.length);
  const mark = rest.indexOf('?');
  const body = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? '' : rest.slice(mark + 1);
  if (!body.startsWith('/')) {
    if (scheme !== '') return { ...noParts, scheme, query, opaque: body };
    if ((body.split('/', 1)[0] ?? '').includes(':'))
      throw fault('first path segment in URL cannot contain colon');
  }
  const hasAuthority = body.startsWith('//') && (scheme !== '' || !body.startsWith('///'));
  const slash = body.indexOf('/', 2);
  const authority = !hasAuthority ? '' : slash < 0 ? body.slice(2) : body.slice(2, slash);
  const path = !hasAuthority ? body : slash < 0 ? '' : body.slice(slash);
  const { user, host } = parseAuthority(authority);
  return { ...noParts, scheme, user, host, path: unescapeIn(path, 'path'), query };
}

function parseAuthority(authority: string): { user: UserInfo | undefined; host: string } {
  const at = authority.lastIndexOf('@');
  const host = parseHost(authority.slice(at + 1));
  if (at < 0) return { user: undefined, host };
  const info = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(info)) throw fault('net/url: invalid userinfo');
  const colon = info.indexOf(':');
  const username = unescapeIn(colon < 0 ? info : info.slice(0, colon), 'user');
  return {
    user: { username, password: colon < 0 ? undefined : unescapeIn(info.slice(colon + 1), 'user') },
    host,
  };
}

function parseHost(host: string): string {
  const open = host.lastIndexOf('[');
  if (open >= 0) return parseBracketed(host, open);
  const colon = host.lastIndexOf(':');
  if (colon >= 0) checkPort(host.slice(colon));
  return unescapeIn(host, 'host');
}

function parseBracketed(host: string, open: number): string {
  const close = host.lastIndexOf(']');
  if (close < 0) throw fault("missing ']' in host");
  const port = host.slice(close + 1);
  checkPort(port);
  const name = host.slice(open + 1, close);
  const zone = name.indexOf('%25');
  const address = unescapeIn(zone < 0 ? name : name.slice(0, zone), 'host');
  const unescaped = address + (zone < 0 ? '' : unescapeIn(name.slice(zone), 'zone'));
  if (isIP(address) !== 6) throw fault('invalid host: ParseAddr(', quotedAddress(unescaped));
  if (/^::ffff:/i.test(address)) throw fault('invalid IPv6 host');
  return `[${unescaped}]${port}`;
}

function quotedAddress(address: string): ErrorPart {
  const part = quoted(address);
  return 'shown' in part ? { ...part, shown: `${part.shown}): unable to parse IP` } : part;
}

function checkPort(port: string): void {
  if (/^(?::\d*)?$/.test(port)) return;
  const part = quoted(port);
  throw fault('invalid port ', 'shown' in part ? { ...part, shown: `${part.shown} after host` } : part);
}

function unescapeIn(text: string, section: Section): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (char !== '%') {
      const isHost = section === 'host' || section === 'zone';
      if (isHost && char < '\x80' && needsEscape(char, section)) throw badHost(char);
      out += char;
      continue;
    }
    const escaped = text.slice(i, i + 3);
    if (!/^%[0-9a-fA-F]{2}$/.test(escaped)) throw fault('invalid URL escape ', quoted(escaped));
    const byte = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    const isRefused =
      (section === 'host' && byte < '\x80' && escaped !== '%25') ||
      (section === 'zone' && escaped !== '%25' && byte !== ' ' && needsEscape(byte, 'host'));
    if (isRefused) throw fault('invalid URL escape ', quoted(escaped));
    out += byte;
    i += 2;
  }
  return out;
}

function badHost(char: string): UrlFault {
  const part = quoted(char);
  return fault(
    'invalid character ',
    'shown' in part ? { ...part, shown: `${part.shown} in host name` } : part,
  );
}

const allowed: Readonly<Record<Section, RegExp>> = {
  host: /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/,
  zone: /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/,
  user: /[A-Za-z0-9\-_.~$&+,;=]/,
  path: /[A-Za-z0-9\-_.~$&+,/:;=@]/,
  fragment: /[A-Za-z0-9\-_.~$&+,/:;=?@!()*]/,
};

function needsEscape(char: string, section: Section): boolean {
  return !allowed[section].test(char);
}

function escapeText(text: string, section: Section): string {
  let out = '';
  for (const char of text) {
    out += needsEscape(char, section)
      ? `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
      : char;
  }
  return out;
}

/** As URL.String of a URL made of its parts. */
export function formatUrl(url: ParsedUrl): string {
  let text = url.scheme === '' ? '' : `${url.scheme}:`;
  if (url.opaque !== '') text += url.opaque;
  else {
    const { user, host, path } = url;
    const hasAuthority = host !== '' || user !== undefined;
    if (hasAuthority || (url.scheme !== '' && path !== '')) text += '//';
    if (user !== undefined) text += `${formatUser(user)}@`;
    text += escapeText(host, 'host');
    const escaped = path === '*' ? path : escapeText(path, 'path');
    if (escaped !== '' && !escaped.startsWith('/') && host !== '') text += '/';
    if (text === '' && (escaped.split('/', 1)[0] ?? '').includes(':')) text = './';
    text += escaped;
  }
  if (url.query !== '') text += `?${url.query}`;
  return url.fragment === '' ? text : `${text}#${escapeText(url.fragment, 'fragment')}`;
}

/** As Userinfo.String. */
export function formatUser(user: UserInfo): string {
  const name = escapeText(user.username, 'user');
  return user.password === undefined ? name : `${name}:${escapeText(user.password, 'user')}`;
}

/** The host without its port and brackets. */
export function hostName(host: string): string {
  if (host.startsWith('[')) {
    const close = host.indexOf(']');
    if (close > 0) return host.slice(1, close);
  }
  return host.replace(/:\d*$/, '');
}
