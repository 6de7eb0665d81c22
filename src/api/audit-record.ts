// A line of the audit files that says who asked for what, as the command line and the page are told of it.

export interface AuditRecord {
  readonly time: string;
  readonly name: string | undefined;
  readonly field: string | undefined;
  readonly version: number | undefined;
  readonly path: string | undefined;
  readonly isAllowed: boolean;
  readonly reason: string;
  readonly status: number | undefined;
  /** How many refusals the line stands for. */
  readonly count: number;
  readonly caller: Readonly<Record<string, unknown>>;
}
