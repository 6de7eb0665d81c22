// `latchkey ui`: the host's status as a page for the user who runs it, from the agent's socket and with that user's rights.
import { lastAuditRecords } from '../../agent/offline/last-audit-records.ts';
import type { AuditRecord } from '../../api/audit-record.ts';
import { LatchkeyError } from '../../base/errors.ts';
import { pathErrorText } from '../../base/paths/path-trust.ts';
import { untilAborted } from '../../base/time/aborted.ts';
import { createTypedClient } from '../../client/typed-client.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { print, say } from '../output.ts';
import { stopSignal } from '../stop-signal.ts';
import { createAgentFeed } from '../ui/agent-feed.ts';
import { openInBrowser } from '../ui/open-in-browser.ts';
import { startPageServer } from '../ui/page-server.ts';
import type { AuditAnswer } from '../ui/page-state.ts';

interface UiOptions extends SocketOptions {
  port: number;
  open: boolean;
}

const shownRecords = 50;

/** Serves until it is stopped: 0, or 128 and the number of the signal. */
export async function runUi(options: UiOptions): Promise<number> {
  if (!(options.port >= 0 && options.port <= 65_535)) {
    throw new LatchkeyError('usage', `ui: --port: expected a number up to 65535, got ${options.port}`);
  }
  const socketPath = await socketPathOf(options);
  const client = createTypedClient(socketPath);
  // Who may not look is told here, and not by an empty page.
  await client.status();
  const feed = createAgentFeed(socketPath);
  const server = await startPageServer({
    name: 'ui',
    command: 'latchkey ui',
    watch: feed.watch,
    port: options.port,
    questions: {
      '/audit': async () => auditAnswer((await client.status()).audit.file),
      '/timeline': (query) => client.timeline(query.get('name') ?? '', 8),
    },
  });
  const stop = stopSignal({ output: process.stdout, withTerminal: true });
  let removePage: (() => void) | undefined;
  try {
    print(server.link);
    say('the link works once, and for ten minutes; Ctrl-C ends the page');
    removePage = options.open ? openInBrowser(server.link) : undefined;
    await untilAborted(stop.signal);
    return stop.signal.reason === 'SIGINT' ? 0 : stop.exitCode();
  } finally {
    removePage?.();
    feed.close();
    await server.close();
    stop.dispose();
  }
}

const looks = new Set(['/status', '/timeline', '/changes', '/explain', '/readyz', '/healthz', '/metrics']);

/** Its own questions, and those of others that only look, are not what one looks for. */
function isWorthShowing({ caller, isAllowed, name, path = '' }: AuditRecord): boolean {
  if (caller['pid'] === process.pid) return false;
  const root = `/${path.split('/')[1] ?? ''}`;
  return name !== undefined || !isAllowed || !(looks.has(root) || path === '/agent/v1/metrics');
}

function auditAnswer(file: string | null): AuditAnswer {
  if (file === null) return { records: [], trouble: 'the config has no audit file' };
  try {
    return { records: lastAuditRecords(file, shownRecords, isWorthShowing), trouble: null };
  } catch (error) {
    return { records: [], trouble: `this user cannot read ${file} (${pathErrorText(error)})` };
  }
}
