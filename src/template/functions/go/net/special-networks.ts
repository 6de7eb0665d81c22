// Networks with a meaning of their own, by the RFC that gives it; what `sockaddr` selects by.
import { type IpNetwork, parseNetwork } from './ip-network.ts';

function networks(list: string): readonly IpNetwork[] {
  return list.split(' ').flatMap((text) => parseNetwork(text) ?? []);
}

export const specialNetworks: Readonly<Record<string, readonly IpNetwork[]>> = {
  /** Private networks. */
  '1918': networks('10.0.0.0/8 172.16.0.0/12 192.168.0.0/16'),
  /** Link-local IPv4. */
  '3927': networks('169.254.0.0/16'),
  /** Unique local IPv6. */
  '4193': networks('fc00::/7'),
  /** Link-local IPv6. */
  '4291': networks('fe80::/10'),
  /** Shared by carriers. */
  '6598': networks('100.64.0.0/10'),
  /** All of special purpose. */
  '6890': networks(
    '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::1/128 ::/128 64:ff9b::/96 ::ffff:0:0/96 100::/64 2001::/16 2002::/16 fc00::/7 fe80::/10',
  ),
};

/** What no router passes on. */
export const notForwardable = networks(
  '0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::1/128 ::/128 ::ffff:0:0/96 2001::/23 2001:db8::/32 2001:10::/28 fe80::/10',
);
