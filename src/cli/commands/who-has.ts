// `latchkey who-has NAME[@VERSION]`: who got which version, and who still holds an old one.
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { printJson, printText, say, terminalWidth } from '../output.ts';
import { formatSpan, formatTable } from '../text/table.ts';

interface WhoHasOptions extends SocketOptions {
  name: string;
  json: boolean;
}

export async function runWhoHas(options: WhoHasOptions): Promise<number> {
  const answer = await createTypedClient(await socketPathOf(options)).whoHas(options.name);
  if (options.json) {
    printJson(answer);
    return 0;
  }
  const { holders } = answer;
  const rows = holders.map((one) => [
    // When the process started tells programs two of one pid apart.
    one.consumer.replace(/(, pid \d+)@\d+$/, '$1'),
    String(one.version),
    one.is_current ? 'current' : 'old',
    one.since == null ? '-' : `${formatSpan(Date.now() - Date.parse(one.since))} ago`,
    one.unit ?? one.exe ?? '-',
  ]);
  if (rows.length === 0) say(`nobody is known to hold ${options.name}`);
  else printText(formatTable(['HOLDER', 'VERSION', 'IS', 'SINCE', 'PROGRAM'], rows, terminalWidth()));
  if (holders.some((one) => !one.is_current))
    say(`\`latchkey timeline ${answer.name}\` tells what the rotation did, and who has moved when`);
  return 0;
}
