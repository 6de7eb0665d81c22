// Who sends a message, as far as it can be told before the message proves anything: an address, or on a unix socket a user.
import { unknownCaller } from '../../access/caller.ts';
import type { Exchange } from '../http/exchange.ts';
import { createIdentity } from '../listen/identity.ts';

/** Of IPv6 the network: whoever has one has all its addresses. */
export function senderOf({ request: { socket }, identity: { caller } }: Exchange): string {
  if (caller.kind === 'process') return `uid ${caller.uid}`;
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return address.includes(':') ? networkOf(address) : address;
}

/** For the audit trail, where all that TCP tells nothing of would be one caller. */
export function nameSender(exchange: Exchange): void {
  if (exchange.identity.caller.kind === 'process') return;
  exchange.comesFrom(createIdentity(unknownCaller(`a message from ${senderOf(exchange)}`)));
}

/** The first 64 bits, written out. */
function networkOf(address: string): string {
  const [start = '', end] = address.split('%', 1).join('').split('::', 2);
  const head = start === '' ? [] : start.split(':');
  const tail = end === undefined || end === '' ? [] : end.split(':');
  const zeros = end === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':');
}
