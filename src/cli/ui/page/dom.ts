// What pages are made of: text goes in as text, and nothing that comes from the agent is ever markup.

type Tone = 'good' | 'warn' | 'bad';
export type Cell = string | Node;

/** Of anything that has one. */
export const goodStates: ReadonlySet<string> = new Set([
  'fresh',
  'current',
  'running',
  'ready',
  'listening',
  'done',
  'logged_in',
]);
export const badStates: ReadonlySet<string> = new Set([
  'expired',
  'failing',
  'failed',
  'login_failed',
  'denied',
  'sealed',
  'unavailable',
]);

export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found as E;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  options: { text?: string; class?: string } = {},
  children: readonly Cell[] = [],
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (options.text !== undefined) made.textContent = options.text;
  if (options.class !== undefined) made.className = options.class;
  made.append(...children);
  return made;
}

function toneOf(state: string): Tone {
  if (goodStates.has(state)) return 'good';
  return badStates.has(state) ? 'bad' : 'warn';
}

export function badge(state: string): HTMLElement {
  return element('span', { text: state.replaceAll('_', ' '), class: `badge ${toneOf(state)}` });
}

function span(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Counts on by itself: `tick` writes it again. */
export function time(at: string | null, form: 'ago' | 'until', prefix = ''): HTMLElement | string {
  if (at === null) return '–';
  const made = element('time');
  made.dateTime = at;
  made.title = at;
  made.dataset['form'] = form;
  made.dataset['prefix'] = prefix;
  tick(made);
  return made;
}

export function tick(made: HTMLTimeElement): void {
  const { form, prefix = '' } = made.dataset;
  const ms = Date.parse(made.dateTime) - Date.now();
  const text = form === 'ago' ? span(Math.min(0, ms)) : ms < 0 ? 'now' : `in ${span(ms)}`;
  if (made.textContent !== prefix + text) made.textContent = prefix + text;
}

export function shownMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${Math.round(ms)} ms` : span(ms);
}
