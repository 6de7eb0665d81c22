// `latchkey who-has NAME[@VERSION]`: who got which version, and who still holds an old one.
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { askAgentOrThrow } from '../local-client.ts';
import { formatTable } from '../table.ts';

interface WhoHasOptions extends SocketOptions {
  name: string;
  json: boolean;
}

interface WhoHasAnswer {
  current_version: number | null;
  holders: {
    consumer: string;
    version: number;
    is_current: boolean;
    exe?: string;
    unit?: string;
    since?: string;
  }[];
}

export async function runWhoHas(options: WhoHasOptions): Promise<number> {
  const path = `/who-has/${encodeURIComponent(options.name)}`;
  const answer = await askAgentOrThrow({ socketPath: await socketPathOf(options), path });
  if (options.json) {
    process.stdout.write(`${answer.body.toString('utf8').trimEnd()}\n`);
    return 0;
  }
  const { holders } = JSON.parse(answer.body.toString('utf8')) as WhoHasAnswer;
  const rows = holders.map((one) => [
    one.consumer,
    String(one.version),
    one.is_current ? 'current' : 'old',
    one.unit ?? one.exe ?? '-',
    one.since ?? '-',
  ]);
  if (rows.length === 0) process.stderr.write(`nobody is known to hold ${options.name}\n`);
  else process.stdout.write(formatTable(['HOLDER', 'VERSION', 'IS', 'PROGRAM', 'SINCE'], rows));
  return 0;
}
