// Addresses that no other host reaches: loopback, and how long the path of a unix socket may be.
import { isIP } from 'node:net';

/** sockaddr_un.sun_path holds 108 bytes with the closing NUL, or the opening one of an abstract address. */
export const longestSocketPath = 107;

/** 127.0.0.0/8 and ::1. */
export function isLoopback(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith('127.');
  return isIP(address) === 6 && (address === '::1' || address.toLowerCase().startsWith('::ffff:127.'));
}
