// Who asked the agent for what, as its audit files have it: in chapters, one for each thing that the viewer did, where lines
// that say the same are one row. A chapter is whole however long it takes, and small however much is asked.
import { basename } from 'node:path';
import { createAuditTail } from '../../agent/offline/audit-tail.ts';
import type { AuditRecord } from '../../api/audit-record.ts';
import type { AccessChapter, AccessRow } from './demo-view.ts';

export interface AccessLog {
  /** What is asked from now on stands under this title. */
  begin(title: string): void;
  /** Takes in what was written since the last time. */
  look(): void;
  /** Newest first. */
  view(): AccessChapter[];
}

interface Chapter {
  readonly title: string;
  readonly began: string;
  readonly rows: Map<string, AccessRow>;
  /** Of those for which there is no row left. */
  others: number;
}

const mostChapters = 4;
const mostRows = 30;

export function createAccessLog(file: string, now = (): string => new Date().toISOString()): AccessLog {
  const tail = createAuditTail(file);
  const chapters: Chapter[] = [];
  const begin = (title: string): void => {
    chapters.unshift({ title, began: now(), rows: new Map(), others: 0 });
    chapters.splice(mostChapters);
  };
  chapters.push({ title: 'Since the start', began: '', rows: new Map(), others: 0 });

  function add(record: AuditRecord): void {
    // The page asks too, and that is not what one looks for.
    if (record.name === undefined || record.caller['pid'] === process.pid) return;
    const chapter = chapters.find(({ began }) => began <= record.time) ?? chapters.at(-1);
    if (chapter === undefined) return;
    const row = rowOf(record);
    const key = JSON.stringify([row.who, row.what, row.isAllowed, row.reason]);
    const known = chapter.rows.get(key);
    if (known === undefined && chapter.rows.size >= mostRows) chapter.others += row.count;
    else chapter.rows.set(key, known === undefined ? row : together(known, row));
  }

  return {
    begin,
    look() {
      for (const record of tail.next()) add(record);
    },
    view: () =>
      chapters.map(({ title, began, rows, others }) => ({
        ...{ title, began, others },
        rows: [...rows.values()].sort((a, b) => (a.time < b.time ? 1 : -1)),
      })),
  };
}

/** The times of both, whichever was told first: refusals have a file of their own. */
function together(known: AccessRow, row: AccessRow): AccessRow {
  const times = [known.since, known.time, row.since, row.time].sort();
  const [since = '', time = ''] = [times[0], times.at(-1)];
  return { ...known, since, time, count: known.count + row.count };
}

function rowOf({
  time,
  name = '',
  field,
  version,
  isAllowed,
  reason,
  count,
  caller,
}: AuditRecord): AccessRow {
  const whole = field === undefined ? name : `${name}.${field}`;
  return {
    since: time,
    time,
    who: whoOf(caller),
    what: version === undefined ? whole : `${whole}, version ${version}`,
    isAllowed,
    reason,
    count,
  };
}

/** Without the pid: who asks again and again by a new process is one. */
function whoOf({ token, uid, exe }: AuditRecord['caller']): string {
  if (typeof token === 'string') return 'refund-worker, by its token';
  return typeof exe === 'string' ? `uid ${uid}, ${basename(exe)}` : `uid ${uid}`;
}
