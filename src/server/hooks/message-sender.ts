// Who sends a message, as far as it can be told before the message proves anything: an address, or on a unix socket a user.
import { unknownCaller } from '../../access/caller.ts';
import { isLoopback } from '../../base/system/local-address.ts';
import type { Exchange } from '../http/exchange.ts';
import { createIdentity } from '../listen/identity.ts';

/**
 * Of IPv6 the network: whoever has one has all its addresses. So has every user of this host all of 127.0.0.0/8 and what else
 * is its own, whatever they connect from.
 */
export function senderOf(exchange: Exchange): string {
  const { socket } = exchange.request;
  const { caller } = exchange.identity;
  if (caller.kind === 'process') return `uid ${caller.uid}`;
  const [from, to] = [addressOf(socket.remoteAddress), addressOf(socket.localAddress)];
  if (isLoopback(from) || isLoopback(to) || from === to) return 'this host';
  return from.includes(':') ? networkOf(from) : from;
}

/** For the audit trail, where all that TCP tells nothing of would be one caller. */
export function nameSender(exchange: Exchange): void {
  if (exchange.identity.caller.kind === 'process') return;
  exchange.comesFrom(createIdentity(unknownCaller(`a message from ${senderOf(exchange)}`)));
}

function addressOf(address = ''): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}

/** The first 64 bits, written out. */
function networkOf(address: string): string {
  const [start = '', end] = address.split('%', 1).join('').split('::', 2);
  const head = start === '' ? [] : start.split(':');
  const tail = end === undefined || end === '' ? [] : end.split(':');
  const zeros = end === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':');
}
