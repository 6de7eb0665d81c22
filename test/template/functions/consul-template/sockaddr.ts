import t from 'tap';
import type { Host } from '../../../../src/template/exec/function-table.ts';
import { emptyHost, failureOf, outcome } from '../../../support/render-text.ts';

type Interfaces = ReturnType<NonNullable<Host['networkInterfaces']>>;

function address(cidr: string, internal = false): NonNullable<Interfaces[string]>[number] {
  const family = cidr.includes(':') ? ('IPv6' as const) : ('IPv4' as const);
  return { address: cidr.split('/')[0] ?? '', family, netmask: '', mac: '', internal, cidr };
}

const host = {
  ...emptyHost,
  networkInterfaces: () => ({
    lo: [address('127.0.0.1/8', true), address('::1/128', true)],
    docker0: [address('172.17.0.1/16')],
    eth0: [address('10.1.2.3/24'), address('fe80::1/64'), address('2a00:1450::5/64')],
    eth1: [address('93.184.216.34/28')],
  }),
  defaultRouteInterface: () => 'eth0',
};

const cases: readonly (readonly [expression: string, output: string])[] = [
  ['GetPrivateIP', '10.1.2.3'],
  ['GetPrivateIPs', '10.1.2.3 172.17.0.1'],
  ['GetPublicIP', '2a00:1450::5'],
  ['GetInterfaceIP "docker0"', '172.17.0.1'],
  ['GetInterfaceIP "none"', ''],
  [
    'GetAllInterfaces | include "name" "^eth" | include "type" "IPv4" | join "address" ","',
    '10.1.2.3,93.184.216.34',
  ],
  ['GetAllInterfaces | include "network" "10.0.0.0/8" | attr "network"', '10.1.2.0/24'],
  [
    'GetAllInterfaces | exclude "rfc" "1918" | exclude "flags" "loopback" | sort "-address" | limit 1 | attr "address"',
    'fe80::1',
  ],
  ['GetPrivateInterfaces | attr "name"', 'eth0'],
  ['GetDefaultInterfaces | include "type" "ipv4" | attr "netmask"', '255.255.255.0'],
  ['GetAllInterfaces | include "name" "eth1" | join "broadcast" ""', '93.184.216.47'],
  ['GetAllInterfaces | include "name" "lo" | unique "name" | offset 0 | join "string" " "', '127.0.0.1/8'],
  ['GetAllInterfaces | sort "size,name" | include "type" "ipv4" | attr "size"', '16777216'],
];

for (const [expression, output] of cases) {
  t.test(`gives ${JSON.stringify(output)} for ${expression}`, async (t) => {
    t.equal(await outcome(`{{ sockaddr ${JSON.stringify(expression)} }}`, { host }), output);
  });
}

t.test('says what it does not know', async (t) => {
  t.match(
    (await failureOf('{{ sockaddr "GetEverything" }}', { host })).message,
    /function "GetEverything" is not supported/,
  );
  t.match(
    (await failureOf('{{ sockaddr "GetAllInterfaces | attr `mood`" }}', { host })).message,
    /attribute "mood"/,
  );
  t.match(
    (await failureOf('{{ sockaddr "GetPrivateIP" }}')).message,
    /interfaces of this host are not known/,
  );
});
