// Rate limit quotas: how many requests of one client a window lets through, for all paths, a namespace, a mount or a path
// below it, as sys/quotas/rate-limit sets them. The narrowest that fits a request counts, and answers 429 when it is full.
import type { Clock } from '../../../../src/base/time/clock.ts';
import type { Call, Route, VaultResponse } from '../backend.ts';
import type { Core } from '../core.ts';
import { boolField, listField, secondsField, textField } from '../fields.ts';
import { findMount, mountPath } from '../namespace.ts';
import { badRequest } from '../vault-error.ts';

export interface Quotas {
  /** What a request counts against; undefined: nothing limits it. `path` is written from the root namespace. */
  admit(path: string, client: string): Admission | undefined;
  config(): QuotaConfig;
  configure(config: QuotaConfig): void;
  get(name: string): Quota | undefined;
  /** Another of the same path counts as the same. */
  nameOf(path: string): string | undefined;
  put(quota: Quota): void;
  delete(name: string): void;
  names(): string[];
}

interface QuotaConfig {
  /** Whether answers tell what is left. */
  readonly isShown: boolean;
  readonly exemptPaths: readonly string[];
}

export interface Admission {
  readonly isAdmitted: boolean;
  /** The answer's, where the configuration wants them shown. */
  readonly headers: Readonly<Record<string, string>>;
}

interface Quota {
  readonly name: string;
  /** `` for all requests, else with the namespace: `team/secret/`, `secret/data/app`. */
  readonly path: string;
  readonly rate: number;
  readonly intervalSeconds: number;
  readonly blockSeconds: number;
}

interface Window {
  endsAt: number;
  left: number;
  blockedUntil: number;
}

/** Until a configuration is written: who looks whether the server lives is not limited. */
const initialConfig: QuotaConfig = {
  isShown: false,
  exemptPaths: [
    'sys/generate-recovery-token/attempt',
    'sys/generate-recovery-token/update',
    'sys/generate-root/attempt',
    'sys/generate-root/update',
    'sys/health',
    'sys/seal-status',
    'sys/unseal',
  ],
};

export function createQuotas(clock: Clock): Quotas {
  const quotas = new Map<string, Quota>();
  /** By quota and client. */
  const windows = new Map<string, Window>();
  let config = initialConfig;

  function narrowest(path: string): Quota | undefined {
    let best: Quota | undefined;
    for (const quota of quotas.values())
      if (covers(quota.path, path) && quota.path.length >= (best?.path.length ?? 0)) best = quota;
    return best;
  }

  function windowOf(quota: Quota, client: string): Window {
    const key = `${quota.name}\n${client}`;
    const known = windows.get(key);
    const now = clock.now();
    if (known !== undefined && now < Math.max(known.endsAt, known.blockedUntil)) return known;
    const window = {
      endsAt: now + quota.intervalSeconds * 1000,
      left: Math.ceil(quota.rate),
      blockedUntil: 0,
    };
    windows.set(key, window);
    return window;
  }

  return {
    admit(path, client) {
      const quota = config.exemptPaths.includes(path) ? undefined : narrowest(path);
      if (quota === undefined) return undefined;
      const window = windowOf(quota, client);
      const isAdmitted = window.left > 0 && clock.now() >= window.blockedUntil;
      if (isAdmitted) window.left -= 1;
      else if (quota.blockSeconds > 0 && window.blockedUntil === 0)
        window.blockedUntil = clock.now() + quota.blockSeconds * 1000;
      const leftMs = Math.max(window.endsAt, window.blockedUntil) - clock.now();
      const reset = String(Math.floor(leftMs / 1000));
      const headers = {
        'x-ratelimit-limit': String(Math.ceil(quota.rate)),
        'x-ratelimit-remaining': String(window.left),
        'x-ratelimit-reset': reset,
        ...(isAdmitted ? {} : { 'retry-after': reset }),
      };
      return { isAdmitted, headers: config.isShown ? headers : {} };
    },
    config: () => config,
    configure(next) {
      config = next;
    },
    get: (name) => quotas.get(name),
    nameOf: (path) => [...quotas.values()].find((quota) => quota.path === path)?.name,
    put: (quota) => void quotas.set(quota.name, quota),
    delete(name) {
      quotas.delete(name);
      for (const key of windows.keys()) if (key.startsWith(`${name}\n`)) windows.delete(key);
    },
    names: () => [...quotas.keys()].sort(),
  };
}

/** A mount's or namespace's ends in a slash and covers what is below; a path's covers itself, and with `*` what begins so. */
function covers(quotaPath: string, path: string): boolean {
  if (quotaPath === '' || quotaPath === path) return true;
  if (quotaPath.endsWith('*')) return path.startsWith(quotaPath.slice(0, -1));
  return quotaPath.endsWith('/') && path.startsWith(quotaPath);
}

export function quotaRoutes(core: Core): Route[] {
  const { quotas } = core;
  return [
    {
      pattern: 'quotas/config',
      read: () => ({
        data: {
          enable_rate_limit_audit_logging: false,
          enable_rate_limit_response_headers: quotas.config().isShown,
          rate_limit_exempt_paths: quotas.config().exemptPaths,
        },
      }),
      update({ data }) {
        quotas.configure({
          isShown: boolField(data, 'enable_rate_limit_response_headers'),
          exemptPaths: listField(data, 'rate_limit_exempt_paths'),
        });
        return undefined;
      },
    },
    {
      pattern: 'quotas/rate-limit',
      list: () => ({ data: { keys: quotas.names() } }),
    },
    {
      pattern: 'quotas/rate-limit/:name',
      read: ({ params }) => describe(quotas.get(params['name'] ?? '')),
      update(call) {
        const quota = readQuota(core, call);
        const other = quotas.nameOf(quota.path);
        if (other !== undefined && other !== quota.name)
          throw badRequest(`quota rule with similar properties exists under the name "${other}"`);
        quotas.delete(quota.name);
        quotas.put(quota);
        return undefined;
      },
      delete: ({ params }) => {
        quotas.delete(params['name'] ?? '');
        return undefined;
      },
    },
  ];
}

function readQuota(core: Core, call: Call): Quota {
  const { data, params } = call;
  const rate = Number(textField(data, 'rate', '0'));
  if (!(rate > 0)) throw badRequest("'rate' is invalid");
  const path = textField(data, 'path').replace(/^\/+/, '');
  return {
    name: params['name'] ?? '',
    path: path === '' ? '' : quotaPath(core, path),
    rate,
    intervalSeconds: secondsField(data, 'interval') || 1,
    blockSeconds: secondsField(data, 'block_interval'),
  };
}

/** A namespace and a mount are written with their slash, a path below a mount as it is. */
function quotaPath(core: Core, path: string): string {
  const slashed = path.endsWith('/') ? path : `${path}/`;
  const inside = core.namespaces
    .all()
    .filter((namespace) => slashed.startsWith(namespace.path))
    .reduce((longest, one) => (one.path.length > longest.path.length ? one : longest));
  if (slashed === inside.path) return slashed;
  const hit = findMount(inside, slashed.slice(inside.path.length));
  if (hit === undefined) throw badRequest(`invalid mount path "${slashed}"`);
  return slashed === `${inside.path}${mountPath(hit.mount)}` ? slashed : path;
}

function describe(quota: Quota | undefined): VaultResponse | undefined {
  if (quota === undefined) return undefined;
  const { name, path, rate, intervalSeconds, blockSeconds } = quota;
  return {
    data: {
      ...{ block_interval: blockSeconds, inheritable: path === '', interval: intervalSeconds },
      ...{ name, path, rate, role: '', type: 'rate-limit' },
    },
  };
}
