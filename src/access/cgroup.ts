// Reads unit and container out of /proc/PID/cgroup. Only what the system's manager itself set up counts: below
// user@UID.service a user names cgroups as he likes.

export interface CgroupIdentity {
  readonly unit: string | undefined;
  readonly container: string | undefined;
}

const unitName = /^[^/]+\.(?:service|scope|socket|mount|swap)$/;
const userManager = /^user@\d+\.service$/;
const containerId = /(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$/;

/** `text` is the file's content; on a hybrid or legacy hierarchy systemd's own line wins. */
export function parseCgroup(text: string): CgroupIdentity {
  const lines = text.split('\n');
  const line =
    lines.find((row) => /^\d+:name=systemd:/.test(row)) ?? lines.find((row) => row.startsWith('0::'));
  const path = line?.replace(/^\d+:[^:]*:/, '') ?? '';
  const parts = path.split('/').filter((part) => part !== '' && part !== '..');
  const first = parts.find((part) => !part.endsWith('.slice'));
  const unit = first !== undefined && unitName.test(first) ? unescapeCgroup(first) : undefined;
  const isUserOwned = unit !== undefined && userManager.test(unit);
  const id = isUserOwned ? undefined : parts.map((part) => containerId.exec(part)?.[1]).findLast(isText);
  return { unit, container: id };
}

/** systemd puts `_` before names that would clash with the kernel's own files (systemd.unit, cg_escape). */
function unescapeCgroup(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name;
}

function isText(value: string | undefined): value is string {
  return value !== undefined;
}
