// sockaddr: the expressions of HashiCorp's go-sockaddr in their common forms, such as `GetPrivateIP`,
// `GetInterfaceIP "eth0"` and `GetAllInterfaces | include "network" "10.0.0.0/8" | sort "size" | attr "address"`.

import {
  type CallContext,
  callError,
  defineFunction,
  type FunctionTable,
  plain,
  quoted,
} from '../../exec/function-table.ts';
import { encodeText } from '../../text/bytes.ts';
import { unquoteString } from '../../text/quote.ts';
import {
  boundsOf,
  containsNetwork,
  formatAddress,
  type IpNetwork,
  parseNetwork,
} from '../go/net/ip-network.ts';
import { notForwardable, specialNetworks } from '../go/net/special-networks.ts';
import { matches } from '../go/regex-engine.ts';

/** One address of one interface. */
interface InterfaceAddress extends IpNetwork {
  readonly name: string;
  readonly isInternal: boolean;
  readonly isDefault: boolean;
}

type Addresses = readonly InterfaceAddress[];
type Step = (context: CallContext, args: readonly string[], input: Addresses) => Addresses | string;

export const sockaddr: FunctionTable = {
  sockaddr: defineFunction(['...string'], 'string', (context, ...parts) =>
    evaluate(context, parts.join(' ')),
  ),
};

function evaluate(context: CallContext, expression: string): string {
  const all = allAddresses(context);
  let value: Addresses | string = all;
  for (const [index, words] of splitPipeline(expression).entries()) {
    const [name = '', ...args] = words;
    const step = Object.hasOwn(steps, name) ? steps[name] : undefined;
    if (step === undefined) throw callError`sockaddr: function ${quoted(name)} is not supported`;
    if (typeof value === 'string') throw callError`sockaddr: ${plain(name)} needs interfaces, got text`;
    value = step(context, args, index === 0 ? all : value);
  }
  return typeof value === 'string' ? value : value.map((one) => addressOf(one)).join(' ');
}

function splitPipeline(expression: string): string[][] {
  const stages: string[][] = [[]];
  for (const [word, , symbol] of expression.matchAll(/("(?:[^"\\]|\\.)*"|`[^`]*`)|(\|)|[^\s|"`]+/g)) {
    if (symbol !== undefined) stages.push([]);
    else stages.at(-1)?.push(/^["`]/.test(word) ? (unquoteString(word) ?? '') : word);
  }
  return stages;
}

function allAddresses(context: CallContext): Addresses {
  const { networkInterfaces, defaultRouteInterface } = context.host;
  if (networkInterfaces === undefined) throw callError`sockaddr: the interfaces of this host are not known`;
  const byDefault = defaultRouteInterface?.();
  return Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? []).flatMap(({ address, cidr, internal }) => {
      const network = parseNetwork(cidr ?? address);
      if (network === null) return [];
      return [{ ...network, name: encodeText(name), isInternal: internal, isDefault: name === byDefault }];
    }),
  );
}

const steps: Readonly<Record<string, Step>> = {
  GetAllInterfaces: (_context, _args, input) => input,
  GetDefaultInterfaces: (_context, _args, input) => input.filter((one) => one.isDefault),
  GetPrivateInterfaces: (_context, _args, input) => usual(input).filter(isPrivate),
  GetPublicInterfaces: (_context, _args, input) => usual(input).filter((one) => !isPrivate(one)),
  GetPrivateIP: (_context, _args, input) => firstAddress(usual(input).filter(isPrivate)),
  GetPrivateIPs: (_context, _args, input) => usual(input).filter(isPrivate).map(addressOf).join(' '),
  GetPublicIP: (_context, _args, input) => firstAddress(usual(input).filter((one) => !isPrivate(one))),
  GetPublicIPs: (_context, _args, input) =>
    usual(input)
      .filter((one) => !isPrivate(one))
      .map(addressOf)
      .join(' '),
  GetInterfaceIP: (context, [name = ''], input) => firstAddress(ofInterface(context, name, input)),
  GetInterfaceIPs: (context, [name = ''], input) =>
    ofInterface(context, name, input).map(addressOf).join(' '),
  include: (context, [selector = '', value = ''], input) =>
    input.filter((one) => isSelected(context, selector, value, one)),
  exclude: (context, [selector = '', value = ''], input) =>
    input.filter((one) => !isSelected(context, selector, value, one)),
  sort: (_context, [order = ''], input) => sortBy(order, input),
  unique: (_context, [name = ''], input) =>
    input.filter((one, at) => at === 0 || attribute(name, one) !== attribute(name, input[at - 1] ?? one)),
  limit: (_context, [count = ''], input) => input.slice(0, wholeNumber(count)),
  offset: (_context, [count = ''], input) => input.slice(wholeNumber(count)),
  attr: (_context, [name = ''], [first]) => (first === undefined ? '' : attribute(name, first)),
  join: (_context, [name = '', separator = ''], input) =>
    input.map((one) => attribute(name, one)).join(separator),
};

function wholeNumber(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw callError`sockaddr: expected a number, got ${quoted(text)}`;
  return Number(text);
}

/** What leaves the host; the interface of the default route first, then larger networks before smaller ones. */
function usual(input: Addresses): Addresses {
  return sortBy('default,type,size', input.filter(isForwardable));
}

function firstAddress([first]: Addresses): string {
  return first === undefined ? '' : addressOf(first);
}

function ofInterface(context: CallContext, name: string, input: Addresses): Addresses {
  return sortBy(
    'size',
    input.filter((one) => isForwardable(one) && matches(context, name, one.name)),
  );
}

function isForwardable(one: InterfaceAddress): boolean {
  return !notForwardable.some((network) => containsNetwork(network, one));
}

function isPrivate(one: InterfaceAddress): boolean {
  return isWithin('6890', one);
}

function isWithin(rfc: string, one: InterfaceAddress): boolean {
  const networks = specialNetworks[rfc];
  if (networks === undefined) throw callError`sockaddr: RFC ${quoted(rfc)} is not supported`;
  return networks.some((network) => containsNetwork(network, one));
}

function isSelected(context: CallContext, selector: string, value: string, one: InterfaceAddress): boolean {
  const alternatives = value.split('|');
  switch (selector.toLowerCase()) {
    case 'address':
      return matches(context, value, addressOf(one));
    case 'name':
      return matches(context, value, one.name);
    case 'network':
      return alternatives.some((text) => containsNetwork(networkOf(text), one));
    case 'rfc':
    case 'rfcs':
      return alternatives.some((rfc) => isWithin(rfc, one));
    case 'type':
      return alternatives.some((type) => ['ip', `ipv${one.family}`].includes(type.toLowerCase()));
    case 'flag':
    case 'flags':
      return alternatives.some((flag) => hasFlag(flag.toLowerCase(), one));
    default:
      throw callError`sockaddr: selector ${quoted(selector)} is not supported`;
  }
}

function networkOf(text: string): IpNetwork {
  const network = parseNetwork(text);
  if (network === null)
    throw callError`sockaddr: expected a network such as "10.0.0.0/8", got ${quoted(text)}`;
  return network;
}

function hasFlag(flag: string, one: InterfaceAddress): boolean {
  switch (flag) {
    case 'up':
      return true;
    case 'forwardable':
      return isForwardable(one);
    case 'loopback':
      return one.isInternal;
    case 'link-local unicast':
      return isWithin('3927', one) || isWithin('4291', one);
    default:
      throw callError`sockaddr: flag ${quoted(flag)} is not supported`;
  }
}

type Order = (a: InterfaceAddress, b: InterfaceAddress) => number;

const orders: Readonly<Record<string, Order>> = {
  address: (a, b) => Number(a.address > b.address) - Number(a.address < b.address),
  default: (a, b) => Number(b.isDefault) - Number(a.isDefault),
  name: (a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)),
  private: (a, b) => Number(isPrivate(b)) - Number(isPrivate(a)),
  size: (a, b) => (a.family === b.family ? a.bits - b.bits : 0),
  type: (a, b) => a.family - b.family,
};

function sortBy(order: string, input: Addresses): Addresses {
  const clauses = order.split(',').map((clause) => {
    const [, sign = '', name = ''] = /^\s*([+-]?)(.*?)\s*$/.exec(clause.toLowerCase()) ?? [];
    const compare = Object.hasOwn(orders, name) ? orders[name] : undefined;
    if (compare === undefined) throw callError`sockaddr: order ${quoted(clause)} is not supported`;
    return sign === '-' ? (a: InterfaceAddress, b: InterfaceAddress) => -compare(a, b) : compare;
  });
  return input.toSorted((a, b) => {
    for (const compare of clauses) {
      const result = compare(a, b);
      if (result !== 0) return result;
    }
    return 0;
  });
}

function addressOf(one: InterfaceAddress): string {
  return formatAddress(one.family, one.address);
}

function attribute(name: string, one: InterfaceAddress): string {
  const [first, last] = boundsOf(one);
  const isSmall = last - first < 2n;
  switch (name.toLowerCase()) {
    case 'address':
    case 'host':
      return addressOf(one);
    case 'name':
      return one.name;
    case 'network':
      return `${formatAddress(one.family, first)}/${one.bits}`;
    case 'netmask':
      return formatAddress(
        one.family,
        ((1n << BigInt(one.bits)) - 1n) << BigInt((one.family === 4 ? 32 : 128) - one.bits),
      );
    case 'size':
      return String(last - first + 1n);
    case 'broadcast':
      return formatAddress(one.family, last);
    case 'first_usable':
      return formatAddress(one.family, isSmall ? first : first + 1n);
    case 'last_usable':
      return formatAddress(one.family, isSmall ? last : last - 1n);
    case 'string':
      return `${addressOf(one)}/${one.bits}`;
    case 'type':
      return `IPv${one.family}`;
    default:
      throw callError`sockaddr: attribute ${quoted(name)} is not supported`;
  }
}
