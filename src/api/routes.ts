// The paths of the local API that are the agent's own. Other dialects (Vault, AWS, metrics) follow the protocols of others.

/** `{name}` stands for one percent-encoded segment. */
export const routes = {
  secrets: { method: 'GET', path: '/secrets' },
  secret: { method: 'GET', path: '/secrets/{name}' },
  field: { method: 'GET', path: '/secrets/{name}/{field}' },
  refused: { method: 'POST', path: '/refused/{name}' },
  events: { method: 'GET', path: '/events' },
  hook: { method: 'POST', path: '/hooks/{name}' },
  alive: { method: 'GET', path: '/healthz' },
  ready: { method: 'GET', path: '/readyz' },
  status: { method: 'GET', path: '/status' },
  refresh: { method: 'POST', path: '/refresh' },
  rotate: { method: 'POST', path: '/rotate/{name}' },
  reload: { method: 'POST', path: '/reload' },
  logLevel: { method: 'POST', path: '/log-level/{level}' },
  stop: { method: 'POST', path: '/stop' },
  whoHas: { method: 'GET', path: '/who-has/{name}' },
  explain: { method: 'GET', path: '/explain' },
  timeline: { method: 'GET', path: '/timeline/{name}' },
  timelines: { method: 'GET', path: '/timeline' },
  changes: { method: 'GET', path: '/changes' },
  drill: { method: 'POST', path: '/drill/{name}' },
  accessTest: { method: 'POST', path: '/access/test' },
} as const;

export type RouteName = keyof typeof routes;
export type Route = (typeof routes)[RouteName];

/** The path with its segments filled in, escaped. */
export function pathOf({ path }: Route, ...segments: readonly string[]): string {
  const left = [...segments];
  return path.replaceAll(/\{[a-z]+\}/g, () => encodeURIComponent(left.shift() ?? ''));
}

/** What comes before the first segment that is filled in. */
export function prefixOf({ path }: Route): string {
  const mark = path.indexOf('{');
  return mark < 0 ? path : path.slice(0, mark);
}
