// The addresses of a cluster in the order of the config: which one serves now, and which come next when it fails.

export interface AddressList {
  /** The one that served last. */
  current(): string;
  /** The current one first, then the rest in the order of the config. */
  candidates(): readonly string[];
  /** Those that the config prefers to the current one. */
  preferred(): readonly string[];
  /** Returns whether another one served before. */
  use(address: string): boolean;
  /** The config names others now; the one that serves goes on serving if it is among them. */
  replace(configured: readonly string[]): void;
}

export function createAddressList(configured: readonly string[]): AddressList {
  let addresses = unique(configured);
  let current = addresses[0] ?? '';
  return {
    current: () => current,
    candidates: () => [current, ...addresses.filter((address) => address !== current)],
    preferred: () => addresses.slice(0, Math.max(0, addresses.indexOf(current))),
    use(address) {
      const isOther = address !== current && addresses.includes(address);
      if (isOther) current = address;
      return isOther;
    },
    replace(next) {
      addresses = unique(next);
      if (!addresses.includes(current)) current = addresses[0] ?? '';
    },
  };
}

function unique(addresses: readonly string[]): string[] {
  return [...new Set(addresses.map((address) => address.replace(/\/+$/, '')))];
}
