// The page of the demo: shows what the command tells four times a second, and sends what the viewer clicks.
import { counted } from '../../../base/text/counted.ts';
import { byId, element } from '../../ui/page/dom.ts';
import type { AccessChapter, DemoView, ServiceView, SideView } from '../demo-view.ts';

const titles: Readonly<Record<string, string>> = {
  'checkout-api': 'Checkout API',
  'order-service': 'Order Service',
  'refund-worker': 'Refund Worker',
  analytics: 'Analytics',
};
const counters = ['services using the key', 'currently broken', 'seconds of downtime', 'deployments needed'];
/** What was written where: a live region is read out when it is written, not four times a second. */
const shown = new Map<string, string>();

function write(id: string, text: string, tone = ''): void {
  if (shown.get(id) === text + tone) return;
  shown.set(id, text + tone);
  const found = byId(id);
  found.textContent = text;
  found.classList.remove('good', 'bad');
  if (tone !== '') found.classList.add(tone);
}

type ServiceElements = Readonly<Record<'badge' | 'how' | 'figures', HTMLElement>>;

interface SideElements {
  readonly counts: readonly HTMLElement[];
  readonly services: ReadonlyMap<string, ServiceElements>;
}

function buildSide(id: string): SideElements {
  const counts = counters.map(() => element('dd'));
  const list = element(
    'dl',
    { class: 'counters' },
    counters.map((name, index) => element('div', {}, [element('dt', { text: name }), counts[index] ?? ''])),
  );
  const services = new Map<string, ServiceElements>();
  const rows = Object.entries(titles).map(([name, title]) => {
    const parts = {
      badge: element('span', { class: 'badge' }),
      how: element('span', { class: 'how-it' }),
      figures: element('span', { class: 'figures' }),
    };
    services.set(name, parts);
    const called = element('span', { text: title, class: 'name' });
    return element('li', {}, [called, parts.badge, parts.how, parts.figures]);
  });
  byId(id).append(list, element('ul', { class: 'services' }, rows));
  return { counts, services };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function showSide({ counts, services }: SideElements, side: SideView): void {
  const figures = [
    String(side.services.filter(({ state }) => state !== 'denied').length),
    String(side.broken),
    seconds(side.downMs),
    String(side.deployments),
  ];
  const isBad = [false, side.broken > 0, side.downMs > 0, side.deployments > 0];
  for (const [index, count] of counts.entries()) {
    count.textContent = figures[index] ?? '';
    count.parentElement?.classList.toggle('bad', isBad[index]);
  }
  for (const service of side.services) {
    const parts = services.get(service.name);
    if (parts !== undefined) showService(parts, service);
  }
}

function showService({ badge, how, figures }: ServiceElements, service: ServiceView): void {
  badge.className = `badge ${service.state}`;
  badge.textContent = service.state === 'denied' ? 'no access' : service.state;
  how.textContent = service.isDeploying ? 'is being deployed' : service.how;
  const moved = service.movedAfterMs === null ? '' : ` after ${(service.movedAfterMs / 1000).toFixed(2)} s`;
  figures.textContent = `key ${service.keyNumber}${moved} · ${service.calls} calls, ${service.failed} failed`;
}

/** Read out when it changes: without figures that count. */
function nowOf({ doing, oldKeyEndsInMs, thief, hardCoded }: DemoView): string {
  if (doing === 'nothing') return '';
  if (doing === 'leaked' && thief?.deadAfterMs === null) return 'A thief has a copy of the key.';
  if (oldKeyEndsInMs !== null)
    return 'A new key is at the provider and in the vault; the old one still works.';
  return hardCoded.broken > 0
    ? 'The old key is revoked. Hard-coded services are down until they are deployed.'
    : 'The old key is revoked.';
}

function countdownOf({ oldKeyEndsInMs, hardCoded }: DemoView): string {
  if (oldKeyEndsInMs !== null) return `The old key ends in ${Math.ceil(oldKeyEndsInMs / 1000)} s.`;
  const next = hardCoded.services.find(({ isDeploying }) => isDeploying);
  return next === undefined ? '' : `${titles[next.name]} is being deployed.`;
}

function showCards(view: DemoView): void {
  const { thief, database, access, audit } = view;
  if (thief !== null) {
    const isDead = thief.deadAfterMs !== null;
    write(
      'thief',
      isDead ? `dead ${Math.round(thief.deadAfterMs ?? 0)} ms after it was noticed` : 'works',
      isDead ? 'good' : 'bad',
    );
    write('thief-says', `The thief's calls: ${thief.accepted} accepted, ${thief.refused} refused.`);
  }
  byId('database').hidden = database === null;
  if (database !== null) {
    const leftMs = database.endsAt === null ? 0 : Math.max(0, Date.parse(database.endsAt) - Date.now());
    write('database-left', `${Math.ceil(leftMs / 1000)} s left`);
    byId<HTMLProgressElement>('database-bar').value = leftMs / (database.livesSeconds * 1000);
    write(
      'database-says',
      `The Order Service logged in ${counted(database.logins, 'time')}, as ${counted(database.users, 'user')} one after the other; ${database.failed} failed.`,
    );
  }
  write('access-state', access.isTaken ? 'taken' : 'allowed', access.isTaken ? 'bad' : 'good');
  const took =
    access.tookMs === null ? '' : ` The last change was in force after ${Math.round(access.tookMs)} ms.`;
  write(
    'access-says',
    `The Refund Worker was refused ${counted(access.denied, 'time')}.${took} The others go on.`,
  );
  write('access', access.isTaken ? 'Give it back to the Refund Worker' : 'Take it from the Refund Worker');
  if (audit !== null) {
    write(
      'audit-state',
      audit.isWhole ? `whole: ${counted(audit.lines, 'line')}` : 'broken',
      audit.isWhole ? 'good' : 'bad',
    );
    write('audit-says', `A copy with one letter changed: ${audit.tampered || 'not found out'}`);
  }
}

function showRotation({ rotation }: DemoView): void {
  byId('rotation-none').hidden = rotation !== null;
  const key = JSON.stringify(rotation?.steps.length ?? 0) + (rotation?.began_at ?? '');
  if (rotation === null || shown.get('rotation') === key) return;
  shown.set('rotation', key);
  const rows = rotation.steps.map(({ step, offset_ms, subject, failure }) =>
    element('li', { class: failure === null ? '' : 'failed' }, [
      element('span', { text: `${offset_ms.toFixed(0)} ms`, class: 'offset' }),
      element('span', { text: step.replaceAll('_', ' ') }),
      element('span', {
        text: [whoseOf(subject), failure?.message].filter(Boolean).join(': '),
        class: 'whose',
      }),
    ]),
  );
  byId('rotation-steps').replaceChildren(...rows);
}

/** `file:/tmp/latchkey-demo-X/checkout-api/settings.json`: all are in the folder of the demo. */
function whoseOf(subject: string | null): string | null {
  if (subject?.startsWith('caller:token ')) return 'refund-worker, by its token';
  return subject?.replace(/^file:\/.*\/([^/]+\/[^/]+)$/, 'file $1').replace(/^process:/, 'process ') ?? null;
}

/** Only what has changed is built again: a reader's selection and place stay. */
function showLog({ log }: DemoView): void {
  const table = byId('log');
  const said = JSON.stringify(log.map(({ began }) => began));
  if (shown.get('log') !== said) {
    shown.set('log', said);
    const bodies = new Map([...table.querySelectorAll('tbody')].map((body) => [body.dataset['began'], body]));
    const now = log.map(({ began }) => {
      const body = bodies.get(began) ?? element('tbody');
      body.dataset['began'] = began;
      return body;
    });
    table.replaceChildren(...[...table.querySelectorAll('thead')], ...now);
  }
  for (const [index, body] of [...table.querySelectorAll('tbody')].entries()) {
    const chapter = log[index];
    const text = JSON.stringify(chapter);
    if (chapter === undefined || shown.get(`log ${chapter.began}`) === text) continue;
    shown.set(`log ${chapter.began}`, text);
    body.replaceChildren(...chapterRows(chapter));
  }
}

const clock = (time: string): string => new Date(time).toLocaleTimeString();

function chapterRows({ title, began, rows, others }: AccessChapter): HTMLElement[] {
  const heading = element('th', {
    text: began === '' ? title : `${title}, ${clock(began)}`,
    class: 'chapter',
  });
  heading.setAttribute('scope', 'rowgroup');
  heading.setAttribute('colspan', '4');
  const lines = rows.map(({ since, time, who, what, isAllowed, reason, count }) =>
    element('tr', {}, [
      element('td', {
        text: clock(since) === clock(time) ? clock(time) : `${clock(since)} – ${clock(time)}`,
      }),
      element('td', { text: who }),
      element('td', { text: count > 1 ? `${what}, ${count} times` : what }),
      element('td', {
        text: `${isAllowed ? 'allowed' : 'refused'}: ${reason}`,
        class: isAllowed ? '' : 'refused',
      }),
    ]),
  );
  const note = rows.length === 0 ? 'Nobody has asked yet.' : `and ${others} more of others`;
  const last = element('td', { text: note });
  last.setAttribute('colspan', '4');
  return [
    element('tr', {}, [heading]),
    ...lines,
    ...(rows.length === 0 || others > 0 ? [element('tr', {}, [last])] : []),
  ];
}

function showButtons(view: DemoView): void {
  for (const id of ['rotate', 'leak'])
    byId(id).setAttribute('aria-disabled', String(view.doing !== 'nothing'));
}

const sides = { latchkey: buildSide('latchkey'), hardCoded: buildSide('hard-coded') };

function showTrouble(text: string | null): void {
  byId('trouble').hidden = text === null;
  write('trouble', text ?? '');
}

function show(view: DemoView): void {
  write('deployment-seconds', String(view.deploymentMs / 1000));
  write('now', nowOf(view));
  write('countdown', countdownOf(view));
  showSide(sides.latchkey, view.latchkey);
  showSide(sides.hardCoded, view.hardCoded);
  showCards(view);
  showRotation(view);
  showLog(view);
  showButtons(view);
  showTrouble(view.trouble);
}

for (const action of ['rotate', 'leak', 'access', 'verify']) {
  byId(action).addEventListener('click', (event) => {
    if ((event.currentTarget as HTMLElement).getAttribute('aria-disabled') === 'true') return;
    void fetch(`/${action}`, { method: 'POST' });
  });
}
const events = new EventSource('/events');
events.addEventListener('view', (event) =>
  show(JSON.parse((event as MessageEvent<string>).data) as DemoView),
);
events.addEventListener('error', () =>
  showTrouble('The demo has ended, or cannot be reached: start it again.'),
);
