// The page in the browser: takes what the command tells, item by item, and shows it.
import type { FileStatus, ListenerStatus, ProcessStatus, UpstreamStatus } from '../../../api/status.ts';
import type { RotationStory, TimelineAnswer } from '../../../api/timeline.ts';
import type { AuditAnswer, PageHead, PagePatch, PageSecret } from '../page-state.ts';
import { badge, badStates, byId, type Cell, element, goodStates, tick, time } from './dom.ts';
import { attentionOf } from './page-attention.ts';
import { drawStory } from './page-story.ts';
import { cellsOf, draw, labelsOf, rowOf, rowsAtFirst, type Table, table, take } from './page-table.ts';

let filter = '';
let rotations: readonly RotationStory[] = [];

function nameOf({ names, path, key }: PageSecret): string {
  return names.length > 0 ? names.join(', ') : path || key;
}

const secrets = table<PageSecret>('secrets', {
  urgency: ({ state, error }) =>
    ['fresh', 'pending', 'stale', 'denied', 'removed', 'expired'].indexOf(state) * 2 +
    (error === null ? 0 : 1),
  matches: (one) => `${one.names.join(' ')} ${one.path} ${one.state}`.toLowerCase().includes(filter),
  cells: (one, key) => [
    secretName(one, key),
    badge(one.state),
    one.version === null ? '–' : String(one.version),
    time(one.obtained_at, 'ago'),
    time(one.expires_at, 'until'),
    one.next === null ? '–' : time(one.next.at, 'until', `${one.next.action} `),
    String(one.holder_count),
  ],
});

const files = table<FileStatus>('files', {
  urgency: ({ state }) => (goodStates.has(state) ? 0 : badStates.has(state) ? 2 : 1),
  matches: () => true,
  cells: (one) => [fileName(one), badge(one.state), one.says === one.state ? '' : one.says, lastStepsOf(one)],
});

const processes = table<ProcessStatus>('processes', {
  urgency: ({ ready }) => (ready ? 0 : 1),
  matches: () => true,
  cells: (one) => [
    one.name,
    badge(one.state),
    time(one.since, 'ago'),
    String(one.pid ?? '–'),
    String(one.restarts),
    one.message ?? '',
  ],
});

const upstreams = table<UpstreamStatus>('upstreams', {
  urgency: ({ state }) => (state === 'ready' ? 0 : 1),
  matches: () => true,
  cells: (one) => [
    element('span', {}, [`${one.name} `, element('span', { text: one.address, class: 'detail' })]),
    badge(one.state),
    time(one.since, 'ago'),
    loginOf(one),
    one.budget === undefined ? '–' : `${one.budget.in_flight} under way, ${one.budget.queued} wait`,
    one.message ?? '',
  ],
});

const listeners = table<ListenerStatus>('listeners', {
  urgency: ({ state }) => (state === 'listening' ? 0 : 1),
  matches: () => true,
  cells: (one) => [one.address, badge(one.state), one.error ?? one.serve.join(', '), String(one.connections)],
});

function loginOf({ login }: UpstreamStatus): Cell {
  if (login === undefined) return 'none wanted';
  const words = element('span', {}, [badge(login.state), ` ${login.method ?? ''} `]);
  if (login.expires_at !== undefined && login.expires_at !== null)
    words.append(time(login.expires_at, 'until', 'ends '));
  if (login.lost_at_stop === true) words.append(', lost at the next stop');
  return words;
}

function secretName(one: PageSecret, key: string): HTMLElement {
  const button = element('button', { text: nameOf(one) });
  button.type = 'button';
  button.setAttribute('aria-expanded', String(secrets.details.has(key)));
  button.addEventListener('click', () => {
    const open = secrets.details.get(key);
    open?.remove();
    if (open === undefined) openDetail(key);
    else secrets.details.delete(key);
    button.setAttribute('aria-expanded', String(open === undefined));
    draw(secrets, new Set());
  });
  return button;
}

function openDetail(key: string): void {
  const item = secrets.items.get(key);
  if (item === undefined) return;
  const lines = [
    `${item.upstream}, ${item.path}`,
    ...(item.next === null ? [] : [`next: ${item.next.action}: ${item.next.why}`]),
    ...(item.error === null
      ? []
      : [
          `failing since ${item.error.since ?? '?'}, ${item.error.count === 1 ? 'once' : `${item.error.count} times`}: ${item.error.message} (${item.error.code})`,
        ]),
    ...item.holders.map((holder) => `held by ${holder}`),
    ...(item.holder_count > item.holders.length
      ? [`… and ${item.holder_count - item.holders.length} more`]
      : []),
  ];
  const story = element('ol');
  const cell = element('td', { class: 'detail' }, [
    element(
      'ul',
      {},
      lines.map((text) => element('li', { text })),
    ),
    story,
  ]);
  cell.colSpan = secrets.labels.length;
  cell.setAttribute('role', 'cell');
  const detail = element('tr', {}, [cell]);
  detail.setAttribute('role', 'row');
  secrets.details.get(key)?.remove();
  secrets.details.set(key, detail);
  const [name] = item.names;
  if (name !== undefined) void drawHistory(name, story);
}

async function drawHistory(name: string, into: HTMLElement): Promise<void> {
  const answer = await fetch(`/timeline?name=${encodeURIComponent(name)}`);
  if (!answer.ok) return;
  const { rotations: own } = (await answer.json()) as TimelineAnswer;
  into.replaceChildren(...own.map((story, index) => drawStory(story, index === 0)));
}

function fileName({ destination, set }: FileStatus): Cell {
  if (set === null) return destination;
  return element('span', {}, [destination, element('span', { text: ` set ${set}`, class: 'detail' })]);
}

/** The steps of the newest rotation that has some of it; what is not known any more leaves the time of its commit. */
function lastStepsOf({ destination, set, committed_at: committed }: FileStatus): Cell {
  const subject = set === null ? `file:${destination}` : `set:${set}`;
  for (const { began_at: began, steps } of rotations) {
    const own = steps.filter((one) => one.subject === subject && one.step !== 'let_go');
    if (own.length === 0) continue;
    const words = own.map(({ step, failure }) =>
      failure === null ? step.replaceAll('_', ' ') : `${step} failed`,
    );
    return element('span', {}, [words.join(', '), ' ', time(began, 'ago'), ' ago']);
  }
  if (committed === null) return '';
  return element('span', {}, ['committed ', time(committed, 'ago'), ' ago']);
}

function drawHead(of: PageHead): void {
  head = of;
  byId('host').textContent = head.host;
  document.title = `${head.ready ? '' : '! '}Latchkey ${head.host}`;
  const verdict = byId('verdict');
  const words = head.degraded.length === 0 ? '' : `, degraded: ${head.degraded.join(', ')}`;
  const text = `${head.ready ? 'ready' : 'not ready'}${words}`;
  if (verdict.textContent !== text) verdict.textContent = text;
  verdict.className = head.ready ? (head.degraded.length === 0 ? 'good' : 'warn') : 'bad';
  const leases = Object.entries(head.leases).map(([state, count]) => `${count} ${state}`);
  byId('about').replaceChildren(
    `version ${head.version}, pid ${head.pid}, up `,
    time(head.started_at, 'ago'),
    `, config ${head.config.sources.join(', ')}${leases.length === 0 ? '' : `, leases: ${leases.join(', ')}`}`,
  );
}

let head: PageHead | undefined;

function drawAttention(): void {
  if (head === undefined) return;
  const attention = attentionOf({
    head,
    upstreams: [...upstreams.items.values()],
    secrets: [...secrets.items.values()],
    files: [...files.items.values()],
    processes: [...processes.items.values()],
  });
  byId('attention').hidden = attention.length === 0;
  const list = byId('attention-list');
  // It is read out when it differs.
  if ([...list.children].map((one) => one.textContent).join('\n') === attention.join('\n')) return;
  list.replaceChildren(...attention.map((text) => element('li', { text })));
}

/** What somebody opened or closed stays so; what is new and the newest is open. */
function drawRotations(): void {
  byId('rotations-empty').hidden = rotations.length > 0;
  const list = byId('rotations-list');
  const known = new Map([...list.querySelectorAll('details')].map((one) => [one.dataset['id'], one.open]));
  const drawn = rotations.map((story, index) => {
    const id = `${story.name} ${story.began_at}`;
    const item = drawStory(story, known.get(id) ?? index === 0);
    const details = item.querySelector('details');
    if (details !== null) details.dataset['id'] = id;
    return item;
  });
  list.replaceChildren(...drawn);
}

const auditLabels = labelsOf('audit');

async function drawAudit(): Promise<void> {
  const answer = await fetch('/audit');
  if (!answer.ok) return;
  const { trouble, records } = (await answer.json()) as AuditAnswer;
  const empty = byId('audit-empty');
  empty.textContent = trouble ?? (records.length === 0 ? 'Nobody has asked for a secret yet.' : '');
  byId('audit-note').hidden = trouble !== null;
  const body = byId('audit-rows');
  const holder = body.closest('table');
  if (holder !== null) holder.hidden = records.length === 0;
  body.replaceChildren(
    ...records.map((one) => {
      const what = [one.name ?? one.path ?? '–', one.field ?? ''].join(' ').trim();
      const verdict = one.isAllowed ? `${one.status ?? ''} by ${one.reason}` : `refused: ${one.reason}`;
      const caller = ['uid', 'pid', 'exe', 'unit', 'token']
        .flatMap((key) => (one.caller[key] === undefined ? [] : [`${key} ${String(one.caller[key])}`]))
        .join(', ');
      const times = one.count > 1 ? ` (${one.count} times)` : '';
      const cells = [time(one.time, 'ago'), caller || '–', what, badgeOf(verdict + times, one.isAllowed)];
      return rowOf(cellsOf(auditLabels, cells));
    }),
  );
}

function badgeOf(text: string, isGood: boolean): HTMLElement {
  return element('span', { text, class: isGood ? '' : 'badge bad' });
}

let auditSeq = -1;
let auditTimer: number | undefined;

function auditMayDiffer({ audit }: PageHead): void {
  if (audit.seq === auditSeq || auditTimer !== undefined) return;
  auditTimer = setTimeout(
    () => {
      auditTimer = undefined;
      auditSeq = audit.seq;
      void drawAudit();
    },
    auditSeq < 0 ? 0 : 5000,
  );
}

/** A table without rows tells nobody what it is for. */
function showWhetherEmpty(): void {
  const isEmpty = secrets.items.size === 0;
  byId('secrets-empty').hidden = !isEmpty;
  for (const part of byId('secrets').querySelectorAll<HTMLElement>('.filter, table')) part.hidden = isEmpty;
}

function takePatch(patch: PagePatch): void {
  for (const [, one] of patch.head?.set ?? []) {
    drawHead(one);
    auditMayDiffer(one);
  }
  for (const key of patch.secrets?.gone ?? []) secrets.details.delete(key);
  take(secrets, patch.secrets);
  for (const [key] of patch.secrets?.set ?? []) if (secrets.details.has(key)) openDetail(key);
  if (secrets.details.size > 0) draw(secrets, new Set());
  showWhetherEmpty();
  take(files, patch.files);
  take(processes, patch.processes);
  take(upstreams, patch.upstreams);
  take(listeners, patch.listeners);
  drawAttention();
}

function follow(): void {
  const stream = new EventSource('/events');
  stream.addEventListener('patch', ({ data }) => takePatch(JSON.parse(data) as PagePatch));
  stream.addEventListener('timeline', ({ data }) => {
    rotations = JSON.parse(data) as RotationStory[];
    drawRotations();
    draw(files, new Set(files.items.keys()));
  });
  const tellTrouble = (text: string | null): void => {
    const trouble = byId('trouble');
    trouble.hidden = text === null;
    trouble.textContent = text ?? '';
  };
  stream.addEventListener('agent', ({ data }) =>
    tellTrouble((JSON.parse(data) as { trouble: string | null }).trouble),
  );
  stream.addEventListener('open', () => tellTrouble(null));
  stream.addEventListener('error', () =>
    tellTrouble('`latchkey ui` does not answer: it was ended, or this page is no longer let in.'),
  );
}

// A narrow page lays rows out as blocks, and browsers forget then that they are rows.
for (const [selector, role] of Object.entries({
  table: 'table',
  'thead, tbody': 'rowgroup',
  tr: 'row',
  th: 'columnheader',
}))
  for (const one of document.querySelectorAll(selector)) one.setAttribute('role', role);

byId<HTMLInputElement>('filter').addEventListener('input', ({ target }) => {
  filter = (target as HTMLInputElement).value.trim().toLowerCase();
  secrets.shown = rowsAtFirst;
  draw(secrets, new Set());
});
for (const one of [secrets, files, processes, upstreams, listeners] as Table<unknown>[]) {
  byId(`${one.id}-more`).addEventListener('click', () => {
    one.shown = Number.POSITIVE_INFINITY;
    draw(one, new Set());
  });
}
setInterval(() => {
  if (document.hidden) return;
  for (const one of document.querySelectorAll('time')) tick(one);
}, 1000);
follow();
