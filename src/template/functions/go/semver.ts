// Semantic versions and constraints on them, as the Go library Masterminds/semver v3.2 has them.
import { type CallError, callError } from '../../exec/function-table.ts';
import { numberError } from '../../text/number.ts';

export interface Version {
  readonly major: bigint;
  readonly minor: bigint;
  readonly patch: bigint;
  readonly prerelease: string;
  readonly metadata: string;
  readonly original: string;
}

interface Constraint {
  readonly operator: string;
  readonly version: Version;
  /** What `x`, or nothing, stands in for. */
  readonly isMinorOpen: boolean;
  readonly isPatchOpen: boolean;
  readonly isOpen: boolean;
}

const suffix = '(-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?';
const versionForm = new RegExp(`^v?([0-9]+)(\\.[0-9]+)?(\\.[0-9]+)?${suffix}$`);
const part = '[0-9|xX*]+';
const constrained = `v?(${part})(\\.${part})?(\\.${part})?${suffix}`;
const operators = '=||!=|>|<|>=|=>|<=|=<|~|~>|\\^';
const constraintForm = new RegExp(`^\\s*(${operators})\\s*(${constrained})\\s*$`);
const findConstraint = new RegExp(`(?:=>|>=|=<|<=|!=|~>|=|>|<|~|\\^|)\\s*(?:${constrained})`, 'g');
const allConstraints = new RegExp(
  `^(?:\\s*(?:${operators})\\s*(?:${constrained})\\s*)(?:(?:\\s+|,\\s*)(?:${operators})\\s*(?:${constrained})\\s*)*$`,
);
const range = new RegExp(`\\s*(${constrained})\\s+-\\s+(${constrained})\\s*`, 'g');
const longest = 1000;

export function parseVersion(text: string): Version {
  const match = text.length > longest ? null : versionForm.exec(text);
  if (match === null) throw callError`Invalid Semantic Version`;
  const [, major = '', minor = '', patch = '', , prerelease = '', , metadata = ''] = match;
  const version: Version = {
    major: segment(major),
    minor: segment(minor.slice(1) || '0'),
    patch: segment(patch.slice(1) || '0'),
    prerelease,
    metadata,
    original: text,
  };
  if (prerelease.split('.').some((id) => /^0\d+$/.test(id))) throw callError`Version segment starts with 0`;
  return version;
}

function segment(digits: string): bigint {
  const value = BigInt(digits);
  if (value >> 64n !== 0n) {
    throw callError`Error parsing version segment: ${numberError('ParseUint', digits, 'value out of range')}`;
  }
  return value;
}

export function formatVersion(version: Version): string {
  const { major, minor, patch, prerelease, metadata } = version;
  const tail = (prerelease === '' ? '' : `-${prerelease}`) + (metadata === '' ? '' : `+${metadata}`);
  return `${major}.${minor}.${patch}${tail}`;
}

export function compareVersions(a: Version, b: Version): number {
  for (const name of ['major', 'minor', 'patch'] as const) {
    if (a[name] !== b[name]) return a[name] < b[name] ? -1 : 1;
  }
  if (a.prerelease === b.prerelease) return 0;
  if (a.prerelease === '' || b.prerelease === '') return a.prerelease === '' ? 1 : -1;
  return comparePrereleases(a.prerelease.split('.'), b.prerelease.split('.'));
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = compareIdentifiers(a[i], b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Numbers are below texts, and what is not there below all. */
function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  const isNumber = [a, b].map((id) => /^\d+$/.test(id));
  if (isNumber[0] && isNumber[1]) return BigInt(a) > BigInt(b) ? 1 : -1;
  if (isNumber[0] !== isNumber[1]) return isNumber[0] ? -1 : 1;
  return a > b ? 1 : -1;
}

/** Whether the version meets the constraint: alternatives by `||`, each a list of conditions. */
export function satisfies(constraint: string, version: () => Version): boolean {
  if (constraint.length > longest) throw improper(constraint);
  const alternatives = constraint
    .replace(range, (_all, ...groups: string[]) => `>= ${groups[0]}, <= ${groups[8]}`)
    .split('||')
    .map(parseConditions);
  const checked = version();
  return alternatives.some((conditions) => conditions.every((condition) => check(condition, checked)));
}

function improper(constraint: string): CallError {
  return callError`improper constraint: ${constraint}`;
}

function parseConditions(text: string): Constraint[] {
  if (!allConstraints.test(text)) throw improper(text);
  return (text.match(findConstraint) ?? [text]).map(parseConstraint);
}

function parseConstraint(text: string): Constraint {
  const match = constraintForm.exec(text);
  if (match === null) throw improper(text);
  const [, operator = '', , major = '', minor = '', patch = '', prerelease = ''] = match;
  const isMajorOpen = isWild(major);
  const isMinorOpen = !isMajorOpen && isWild(minor.slice(1));
  const isPatchOpen = !isMajorOpen && !isMinorOpen && isWild(patch.slice(1));
  let source = text.replace(/^\s*[=!<>~^]*\s*/, '').trimEnd();
  if (isMajorOpen) source = `0.0.0${prerelease}`;
  else if (isMinorOpen) source = `${major}.0.0${prerelease}`;
  else if (isPatchOpen) source = `${major}${minor}.0${prerelease}`;
  return {
    operator,
    version: constraintVersion(source),
    isMinorOpen,
    isPatchOpen,
    isOpen: isMajorOpen || isMinorOpen || isPatchOpen,
  };
}

function constraintVersion(source: string): Version {
  try {
    return parseVersion(source);
  } catch {
    throw callError`constraint Parser Error`;
  }
}

function isWild(text: string): boolean {
  return text === '' || text === 'x' || text === 'X' || text === '*';
}

function check(constraint: Constraint, version: Version): boolean {
  const { operator, version: wanted } = constraint;
  const isUnwantedPrerelease = version.prerelease !== '' && wanted.prerelease === '';
  if (operator === '!=') return isNot(constraint, version, isUnwantedPrerelease);
  if (isUnwantedPrerelease) return false;
  const order = compareVersions(version, wanted);
  switch (operator) {
    case '>':
      return isGreater(constraint, version, order);
    case '<':
      return order < 0;
    case '>=':
    case '=>':
      return order >= 0;
    case '<=':
    case '=<':
      return isAtMost(constraint, version, order);
    case '~':
    case '~>':
      return isTilde(constraint, version, order);
    case '^':
      return isCaret(constraint, version, order);
    default:
      return constraint.isOpen ? isTilde(constraint, version, order) : order === 0;
  }
}

function isNot(
  { version: wanted, ...constraint }: Constraint,
  version: Version,
  isUnwantedPrerelease: boolean,
): boolean {
  if (!constraint.isOpen) return compareVersions(version, wanted) !== 0;
  if (isUnwantedPrerelease) return false;
  if (wanted.major !== version.major) return true;
  if (wanted.minor !== version.minor && !constraint.isMinorOpen) return true;
  if (constraint.isMinorOpen) return false;
  if (wanted.patch !== version.patch && !constraint.isPatchOpen) return true;
  if (constraint.isPatchOpen) {
    return comparePrereleases(version.prerelease.split('.'), wanted.prerelease.split('.')) !== 0;
  }
  return compareVersions(version, wanted) !== 0;
}

function isGreater({ version: wanted, ...constraint }: Constraint, version: Version, order: number): boolean {
  if (!constraint.isOpen) return order > 0;
  if (version.major !== wanted.major) return version.major > wanted.major;
  if (constraint.isMinorOpen) return false;
  return constraint.isPatchOpen ? version.minor > wanted.minor : order > 0;
}

function isAtMost({ version: wanted, ...constraint }: Constraint, version: Version, order: number): boolean {
  if (!constraint.isOpen) return order <= 0;
  if (version.major > wanted.major) return false;
  return !(version.major === wanted.major && version.minor > wanted.minor && !constraint.isMinorOpen);
}

function isTilde({ version: wanted, ...constraint }: Constraint, version: Version, order: number): boolean {
  if (order < 0) return false;
  const isAny = wanted.major === 0n && wanted.minor === 0n && wanted.patch === 0n;
  if (isAny && !constraint.isMinorOpen && !constraint.isPatchOpen) return true;
  return version.major === wanted.major && (version.minor === wanted.minor || constraint.isMinorOpen);
}

function isCaret({ version: wanted, ...constraint }: Constraint, version: Version, order: number): boolean {
  if (order < 0) return false;
  if (wanted.major > 0n || constraint.isMinorOpen) return version.major === wanted.major;
  if (version.major > 0n) return false;
  if (wanted.minor > 0n || constraint.isPatchOpen) return version.minor === wanted.minor;
  return version.minor === 0n && wanted.patch === version.patch;
}
