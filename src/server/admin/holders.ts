// Who holds which version of a secret: callers by the ledger, files and processes by the store.
import type { Holder } from '../../api/admin.ts';
import { shownVersion } from '../../store/secret-version.ts';
import type { ServerContext } from '../http/server-context.ts';

export function holdersOf(context: ServerContext, entryKey: string, version: number | undefined): Holder[] {
  const { ledger, view } = context;
  const current = view.store.find(entryKey)?.current?.number;
  const callers = ledger.whoHas(entryKey, version).map((record): Holder => {
    const { holder } = record;
    const process = holder.kind === 'process' ? holder : undefined;
    return {
      consumer: record.consumer,
      version: record.shownVersion,
      is_current: record.number === current,
      ...(process === undefined ? {} : { pid: process.pid, uid: process.uid }),
      ...(process?.exe === undefined ? {} : { exe: process.exe }),
      ...(holder.kind === 'unit' ? { unit: holder.unit } : {}),
      ...(process?.unit === undefined ? {} : { unit: process.unit }),
      since: new Date(record.since).toISOString(),
      last_at: new Date(record.lastAt).toISOString(),
      deliveries: record.deliveries,
    };
  });
  const known = new Set(callers.map((line) => line.consumer));
  const others = [...view.store.holders(entryKey)]
    .filter(([consumer, held]) => {
      return !known.has(consumer) && (version === undefined || shownVersion(held) === version);
    })
    .map(([consumer, held]) => ({
      consumer,
      version: shownVersion(held),
      is_current: held.number === current,
    }));
  return [...callers, ...others];
}
