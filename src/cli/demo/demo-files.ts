// What the demo lays down in its folder: the vault's seed, the agent's config and the templates of two services.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DemoPlaces {
  readonly folder: string;
  readonly seed: string;
  readonly config: string;
  readonly socket: string;
  readonly checkout: { readonly settings: string; readonly pidFile: string };
  readonly orders: { readonly settings: string; readonly control: string };
  readonly refunds: { readonly token: string };
  readonly audit: string;
}

export interface DemoAccess {
  readonly refundsMayRead: boolean;
}

export interface DemoParts {
  vaultAddress: string;
  rootToken: string;
  /** The superuser's connection for the vault's database engine; undefined without PostgreSQL. */
  postgres: { host: string; port: number; user: string; password: string } | undefined;
  stripeKey: string;
  paymentsUrl: string;
  /** Where the agent listens for the refund worker, on loopback. */
  refundsPort: number;
  /** How to start the legacy service program. */
  service: readonly string[];
}

/** How long a database credential of the demo lives, in seconds: short enough to see it replaced. */
export const databaseTtlSeconds = 12;

export function demoPlaces(folder: string): DemoPlaces {
  return {
    folder,
    seed: join(folder, 'vault-seed.yaml'),
    config: join(folder, 'latchkey.yaml'),
    socket: join(folder, 'latchkey.sock'),
    checkout: {
      settings: join(folder, 'checkout-api/settings.json'),
      pidFile: join(folder, 'checkout-api/pid'),
    },
    orders: {
      settings: join(folder, 'order-service/settings.json'),
      control: join(folder, 'order-service/control.sock'),
    },
    refunds: { token: join(folder, 'refund-worker/token') },
    audit: join(folder, 'audit.jsonl'),
  };
}

/** JSON is YAML: both files are written as JSON. */
export function writeDemoFiles(places: DemoPlaces, parts: DemoParts): void {
  for (const folder of ['checkout-api', 'order-service', 'refund-worker'])
    mkdirSync(join(places.folder, folder), { recursive: true });
  writeFileSync(places.seed, JSON.stringify(seedOf(parts), null, 2), { mode: 0o600 });
  writeDemoConfig(places, parts, { refundsMayRead: true });
}

export function writeDemoConfig(places: DemoPlaces, parts: DemoParts, access: DemoAccess): void {
  writeFileSync(places.config, JSON.stringify(configOf(places, parts, access), null, 2), { mode: 0o600 });
}

function seedOf(parts: DemoParts): object {
  const { postgres } = parts;
  return {
    // Not among the words of the command, which all users of the host can read: it rules over the database too.
    tokens: [{ id: parts.rootToken, policies: ['root'] }],
    secrets: { 'secret/payments/stripe': { api_key: parts.stripeKey } },
    ...(postgres && {
      databases: {
        postgres: {
          connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/postgres`,
          username: postgres.user,
          password: postgres.password,
          allowed_roles: ['orders'],
          roles: {
            orders: {
              creation_statements: [
                `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
              ],
              default_ttl: `${databaseTtlSeconds}s`,
              max_ttl: `${databaseTtlSeconds}s`,
            },
          },
        },
      },
    }),
  };
}

function configOf(places: DemoPlaces, parts: DemoParts, { refundsMayRead }: DemoAccess): object {
  const { postgres } = parts;
  return {
    upstreams: { vault: { kind: 'vault', address: parts.vaultAddress, auth: { method: 'token' } } },
    secrets: {
      stripe: { path: 'secret/payments/stripe', refresh: '2s' },
      ...(postgres && { 'orders-db': { path: 'database/creds/orders', overlap: '2s', on_exit: 'revoke' } }),
    },
    files: filesOf(places, parts),
    processes: [
      {
        name: 'analytics',
        command: [...parts.service, 'environment', 'analytics'],
        env: { STRIPE_API_KEY: '{{ field "stripe" "api_key" }}', PAYMENTS_URL: parts.paymentsUrl },
        on_rotation: 'restart',
        stop: { signal: 'TERM', timeout: '5s' },
      },
    ],
    listeners: [
      { unix: places.socket, mode: '0600', serve: ['secrets', 'admin'] },
      { tcp: `127.0.0.1:${parts.refundsPort}`, token_file: places.refunds.token, serve: ['secrets'] },
    ],
    access: [
      { name: 'refund-worker', client: { token: 'listeners[1]' }, allow: refundsMayRead ? ['stripe'] : [] },
    ],
    audit: { file: places.audit },
    log: { level: 'info', format: 'json', file: join(places.folder, 'latchkey.log') },
    state_dir: join(places.folder, 'state'),
  };
}

function filesOf({ checkout, orders }: DemoPlaces, { postgres, service }: DemoParts): object[] {
  const stripe = '"stripeKey": {{ field "stripe" "api_key" | toJSON }}';
  const database = postgres
    ? `, "database": { "user": {{ field "orders-db" "username" | toJSON }}, "password": {{ field "orders-db" "password" | toJSON }}, "port": ${postgres.port} }`
    : '';
  return [
    {
      contents: `{ ${stripe} }\n`,
      destination: checkout.settings,
      notify: { signal: 'HUP', pid_file: checkout.pidFile },
    },
    {
      contents: `{ ${stripe}${database} }\n`,
      destination: orders.settings,
      notify: { command: [...service, 'reload', orders.control], timeout: '5s' },
    },
  ];
}
