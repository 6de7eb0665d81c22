// IP addresses and networks as numbers, for `sockaddr`.
import { isIP } from 'node:net';

export interface IpNetwork {
  readonly family: 4 | 6;
  readonly address: bigint;
  /** Leading bits that the network has in common. */
  readonly bits: number;
}

/** From `10.0.0.0/8` or a lone address; null for anything else. */
export function parseNetwork(text: string): IpNetwork | null {
  const [address = '', suffix] = text.split('/');
  const family = isIP(address);
  if (family !== 4 && family !== 6) return null;
  const width = family === 4 ? 32 : 128;
  const bits = suffix === undefined ? width : Number(suffix);
  if (!Number.isInteger(bits) || bits < 0 || bits > width) return null;
  return { family, address: family === 4 ? parseV4(address) : parseV6(address), bits };
}

function parseV4(text: string): bigint {
  return text.split('.').reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint {
  const [plain = ''] = text.split('%');
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const hex = dotted === null ? plain : `${dotted[1]}${hexPair(parseV4(dotted[2] ?? ''))}`;
  const [head = '', tail] = hex.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...zeros, ...back].reduce(
    (value, part) => value * 65536n + BigInt(`0x${part || '0'}`),
    0n,
  );
}

function hexPair(value: bigint): string {
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

/** Whether the inner network is equal to or within the outer one. */
export function containsNetwork(outer: IpNetwork, inner: IpNetwork): boolean {
  if (outer.family !== inner.family || inner.bits < outer.bits) return false;
  const shift = BigInt(widthOf(outer) - outer.bits);
  return outer.address >> shift === inner.address >> shift;
}

function widthOf(network: IpNetwork): number {
  return network.family === 4 ? 32 : 128;
}

/** The first and the last address of the network. */
export function boundsOf(network: IpNetwork): readonly [first: bigint, last: bigint] {
  const host = (1n << BigInt(widthOf(network) - network.bits)) - 1n;
  return [network.address & ~host, network.address | host];
}

export function formatAddress(family: 4 | 6, address: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
  const parts = Array.from({ length: 8 }, (_, at) =>
    ((address >> BigInt(112 - 16 * at)) & 0xffffn).toString(16),
  );
  return compress(parts);
}

/** The longest run of two or more zeros becomes `::`. */
function compress(parts: readonly string[]): string {
  let best = { start: -1, length: 1 };
  for (let start = 0; start < parts.length; start++) {
    let length = 0;
    while (parts[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start < 0) return parts.join(':');
  return `${parts.slice(0, best.start).join(':')}::${parts.slice(best.start + best.length).join(':')}`;
}
