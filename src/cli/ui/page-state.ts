// What the page knows of the agent, item by item, so that only what differs is sent: a thousand secrets are told once.
import type { AuditRecord } from '../../api/audit-record.ts';
import type {
  AgentStatus,
  FileStatus,
  ListenerStatus,
  ProcessStatus,
  SecretStatus,
  UpstreamStatus,
} from '../../api/status.ts';

export type PageHead = Omit<
  AgentStatus,
  'upstreams' | 'secrets' | 'files' | 'processes' | 'listeners' | 'leases'
> & {
  readonly host: string;
  /** How many, by state. */
  readonly leases: Readonly<Record<string, number>>;
};

/** Without what only counts on by itself, and of a crowd of holders the first. */
export type PageSecret = Omit<SecretStatus, 'age_seconds' | 'consumers'> & {
  readonly holders: readonly string[];
  readonly holder_count: number;
};

export interface PageSections {
  readonly head: PageHead;
  readonly upstreams: UpstreamStatus;
  readonly secrets: PageSecret;
  readonly files: FileStatus;
  readonly processes: ProcessStatus;
  readonly listeners: ListenerStatus;
}

export type SectionName = keyof PageSections;

/** `data` of an event `patch`: in each section what is new or another, and the keys that are gone. */
export type PagePatch = {
  readonly [S in SectionName]?: {
    readonly set: readonly (readonly [key: string, item: PageSections[S]])[];
    readonly gone: readonly string[];
  };
};

/** Who asked the agent for what, newest first; `trouble`: why that cannot be told. */
export interface AuditAnswer {
  readonly records: readonly AuditRecord[];
  readonly trouble: string | null;
}

type Items = ReadonlyMap<SectionName, ReadonlyMap<string, string>>;

const mostHolders = 20;

export function itemsOf(status: AgentStatus, host: string): Items {
  const { upstreams, secrets, files, processes, listeners, leases, ...rest } = status;
  const states: Record<string, number> = {};
  for (const { state } of leases) states[state] = (states[state] ?? 0) + 1;
  const encoded = <T>(
    all: readonly T[],
    keyOf: (item: T) => string,
    show: (item: T) => unknown = (item) => item,
  ) => new Map(all.map((item) => [keyOf(item), JSON.stringify(show(item))]));
  return new Map<SectionName, ReadonlyMap<string, string>>([
    [
      'head',
      encoded(
        [rest],
        () => '',
        (head) => ({ ...head, host, leases: states }),
      ),
    ],
    ['upstreams', encoded(upstreams, ({ name }) => name)],
    ['secrets', encoded(secrets, ({ key }) => key, shownSecret)],
    ['files', encoded(files, ({ destination }) => destination)],
    ['processes', encoded(processes, ({ name }) => name)],
    ['listeners', encoded(listeners, ({ place }) => place)],
  ]);
}

function shownSecret({ age_seconds: _age, consumers, ...secret }: SecretStatus): PageSecret {
  const holders = consumers
    .slice(0, mostHolders)
    .map(({ consumer, version }) => `${consumer}: version ${version}`);
  return { ...secret, holders, holder_count: consumers.length };
}

/** As JSON, put together from what is JSON already; undefined: nothing differs. */
export function patchText(before: Items | undefined, after: Items): string | undefined {
  const sections: string[] = [];
  for (const [name, items] of after) {
    const known = before?.get(name);
    const set = [...items]
      .filter(([key, text]) => known?.get(key) !== text)
      .map(([key, text]) => `[${JSON.stringify(key)},${text}]`);
    const gone = [...(known?.keys() ?? [])].filter((key) => !items.has(key));
    if (set.length + gone.length > 0 || before === undefined)
      sections.push(`${JSON.stringify(name)}:{"set":[${set.join(',')}],"gone":${JSON.stringify(gone)}}`);
  }
  return sections.length === 0 ? undefined : `{${sections.join(',')}}`;
}
