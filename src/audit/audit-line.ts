// One audit line: its members, its place in the chain, its hash. Lines hold names, numbers and reasons, never a value.

import { hash } from 'node:crypto';
import { BoundedMap } from '../base/bounded-map.ts';
import { printableJson } from '../base/text/printable.ts';

/** Who asked, encoded once a connection: a line is built for every answer. */
export type EncodedCaller = string & { readonly encodedCaller: unique symbol };

export interface AuditCaller {
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
  readonly exe?: string | undefined;
  readonly unit?: string | undefined;
  readonly container?: string | undefined;
  /** The listener whose token was shown. */
  readonly token?: string;
  /** Why nothing is known of them. */
  readonly unknown?: string;
}

/** One decision and what was answered; without `status` it is about to be passed on, and the answer has its own line. */
export interface AuditEntry {
  readonly caller: EncodedCaller;
  readonly listener: string;
  readonly dialect: string;
  /** The HTTP method, or `LoadCredential`. */
  readonly method: string;
  /** The name of the secret; absent for requests that mean none. */
  readonly name?: string | undefined;
  readonly field?: string | undefined;
  readonly version?: number | undefined;
  /** Where there is no name: the path that was asked for, without its query. */
  readonly path?: string | undefined;
  readonly isAllowed: boolean;
  readonly reason: string;
  readonly status?: number | undefined;
  readonly latencyUs?: number | undefined;
}

/** Where a line stands: its number and the hash of the line before, `null` before the first. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string | null;
}

export const emptyChain: ChainHead = { seq: 0, hash: null };

export function encodeCaller(caller: AuditCaller): EncodedCaller {
  return printableJson(JSON.stringify(caller)) as EncodedCaller;
}

/** The members of a request's line, without braces. */
export function requestMembers(entry: AuditEntry): string {
  const { status, latencyUs } = entry;
  let text = `"event":"${status === undefined ? 'forward' : 'request'}","listener":${quote(entry.listener)},"caller":${entry.caller}`;
  text += `,"dialect":${quote(entry.dialect)},"method":${quote(entry.method)}`;
  if (entry.name !== undefined) text += `,"name":${quote(entry.name)}`;
  if (entry.field !== undefined) text += `,"field":${quote(entry.field)}`;
  if (entry.version !== undefined) text += `,"version":${entry.version}`;
  if (entry.path !== undefined) text += `,"path":${quote(entry.path)}`;
  text += `,"allowed":${entry.isAllowed},"reason":${quote(entry.reason)}`;
  return status === undefined ? text : `${text},"status":${status},"latency_us":${latencyUs}`;
}

/** The members of a line about the log itself. */
export function eventMembers(event: string, fields: Readonly<Record<string, string | number>>): string {
  return JSON.stringify({ event, ...fields }).slice(1, -1);
}

/** The line without its newline. */
export function chainLine(previous: ChainHead, time: string, members: string): string {
  const prev = previous.hash === null ? 'null' : `"${previous.hash}"`;
  return `{"seq":${previous.seq + 1},"time":"${time}",${members},"prev":${prev}}`;
}

/** SHA-256 of the line's bytes without the newline. */
export function lineHash(line: string | Buffer): string {
  return hash('sha256', line, 'base64url');
}

const longestText = 256;
const longestQuoted = 384;

/** The same few names and reasons come again and again. */
const maxQuoted = 1024;
const quoted = new BoundedMap<string, string>(maxQuoted);

function quote(text: string): string {
  let known = quoted.get(text);
  if (known !== undefined) return known;
  known = shortened(text);
  if (text.length <= longestText) quoted.set(text, known);
  return known;
}

/** What needs an escape for each character is cut sooner: the line has its length from the caller, but not its limit. */
function shortened(text: string): string {
  for (let most = longestText; ; most = Math.floor(most / 2)) {
    const known = printableJson(JSON.stringify(text.length > most ? `${text.slice(0, most)}…` : text));
    if (known.length <= longestQuoted) return known;
  }
}
