// Addresses that no other host reaches.
import { isIP } from 'node:net';

/** 127.0.0.0/8 and ::1. */
export function isLoopback(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith('127.');
  return isIP(address) === 6 && (address === '::1' || address.toLowerCase().startsWith('::ffff:127.'));
}
