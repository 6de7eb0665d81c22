// A pure simulation of a fleet by the policies alone: 10,000 agents with 20 references each on one vault. Prints how far
// the request rate peaks above the steady one when the vault restarts, a secret of all rotates, or the vault is away.
// `node test/bench/schedule-simulation.ts [agents]`; the figures are in docs/BENCHMARKS.md.
import { UpstreamError } from '../../src/base/upstream-error.ts';
import { addFailure, isOutage } from '../../src/lease/track/failure-policy.ts';
import {
  chooseRequest,
  defaultScheduleLimits,
  type PlannedStep,
  planAfterRecovery,
  planNext,
} from '../../src/lease/track/schedule-policy.ts';
import type { FailureView, SecretView, ValueView } from '../../src/lease/track/secret-view.ts';
import { createSeededRandom } from '../support/seeded-random.ts';
import { createOutage, type Outage } from './simulated-outage.ts';

const second = 1000;
const minute = 60 * second;
const limits = defaultScheduleLimits;
const refreshMs = 30 * second;
const leaseMs = 60 * minute;
const maxLeaseMs = 240 * minute;
const leasedPerAgent = 5;
/** The budget of one agent. */
const agentRate = 50;

interface Reference {
  readonly agent: Agent;
  readonly isLeased: boolean;
  value: ValueView | undefined;
  failure: FailureView | undefined;
  isExpired: boolean;
  grantedAt: number;
  plan: PlannedStep;
  /** The plan that its event in the calendar stands for. */
  event: number;
  isParked: boolean;
}

interface Agent {
  readonly references: Reference[];
  readonly outage: Outage;
  /** No request of this agent may start before: its budget. */
  freeAt: number;
}

interface Scenario {
  readonly name: string;
  /** Whether the vault is away at a moment. */
  readonly isAway: (now: number) => boolean;
  /** When every lease is gone at once. */
  readonly revokeAllAt?: number;
  /** When an event tells every agent that one of its static secrets changed. */
  readonly eventAt?: number;
  /** The span that is looked at. */
  readonly fromMs: number;
  /** All agents start within this time (default: the whole time before). */
  readonly startsWithinMs?: number;
}

/** Agents start at any moment of this, so that the fleet is of all ages. */
const settleMs = 60 * minute;
const scenarios: readonly Scenario[] = [
  { name: 'steady', isAway: () => false, fromMs: settleMs },
  {
    name: 'vault restart (30 s sealed)',
    isAway: (now) => now >= settleMs && now < settleMs + 30 * second,
    fromMs: settleMs,
  },
  {
    name: '10-minute outage',
    isAway: (now) => now >= settleMs && now < settleMs + 10 * minute,
    fromMs: settleMs,
  },
  { name: 'mass rotation, told by an event', isAway: () => false, eventAt: settleMs, fromMs: settleMs },
  { name: 'every lease revoked', isAway: () => false, revokeAllAt: settleMs, fromMs: settleMs },
  { name: 'all agents start within a minute', isAway: () => false, startsWithinMs: minute, fromMs: 0 },
];

/** A calendar of whole tenths of a second: cheap at millions of events. */
function createCalendar() {
  const slots: [Reference, number][][] = [];
  return {
    add(at: number, reference: Reference): void {
      reference.event += 1;
      if (!Number.isFinite(at)) return;
      const slot = Math.max(0, Math.ceil(at / 100));
      slots[slot] ??= [];
      slots[slot].push([reference, reference.event]);
    },
    take: (slot: number): [Reference, number][] => {
      const due = slots[slot] ?? [];
      delete slots[slot];
      return due;
    },
  };
}

interface Rates {
  /** Requests that reached the vault, or its closed door, in each second. */
  readonly perSecond: number[];
  readonly leasedPerSecond: number[];
}

function simulate(scenario: Scenario, agents: number, spanMs: number): Rates {
  const random = createSeededRandom(11);
  const calendar = createCalendar();
  const perSecond = Array.from({ length: Math.ceil(spanMs / second) + 1 }, () => 0);
  const leasedPerSecond = [...perSecond];
  let isAnyLeaseAlive = true;

  function set(reference: Reference, plan: PlannedStep): void {
    reference.plan = plan;
    reference.isParked = false;
    calendar.add(plan.at, reference);
  }

  function send(reference: Reference, now: number): void {
    const { agent } = reference;
    const at = Math.max(now, agent.freeAt);
    agent.freeAt = at + second / agentRate;
    const slot = Math.floor(at / second);
    perSecond[slot] = (perSecond[slot] ?? 0) + 1;
    if (reference.isLeased) leasedPerSecond[slot] = (leasedPerSecond[slot] ?? 0) + 1;
    if (scenario.isAway(at)) fail(reference, at);
    else answer(reference, at);
  }

  function fail(reference: Reference, now: number): void {
    const error = new UpstreamError('upstream_sealed', 'sealed', { status: 503 });
    reference.agent.outage.failed(error, now, now);
    reference.failure = addFailure(reference.failure, error, now);
    set(reference, planNext(view(reference), now, random, limits));
  }

  function answer(reference: Reference, now: number): void {
    const request = chooseRequest(view(reference), now);
    const isLost =
      request === 'renew' && !isAnyLeaseAlive && reference.grantedAt < (scenario.revokeAllAt ?? 0);
    reference.failure = undefined;
    reference.isExpired = false;
    if (isLost) {
      reference.value = undefined;
      send(reference, now);
      return;
    }
    if (request !== 'renew') reference.grantedAt = now;
    reference.value = reference.isLeased ? grant(reference, now) : poll(reference, now);
    if (reference.agent.outage.answered()) recover(reference.agent, now);
    set(reference, planNext(view(reference), now, random, limits));
  }

  function recover(agent: Agent, now: number): void {
    for (const other of agent.references) {
      const isHit = other.failure !== undefined && isOutage(other.failure.code);
      if (isHit || other.isParked) set(other, planAfterRecovery(view(other), now, random, limits));
    }
  }

  function due(reference: Reference, now: number): void {
    if (reference.plan.action === 'expire') {
      reference.isExpired = true;
      set(reference, planNext(view(reference), now, random, limits));
    } else if (reference.agent.outage.admit(now)) send(reference, now);
    else {
      const at = (reference.agent.outage.nextProbeAt() ?? now) + second * random();
      set(reference, { action: 'retry', at, why: 'waits for upstream' });
      reference.isParked = true;
    }
  }

  const fleet = Array.from({ length: agents }, () => createAgent(random));
  for (const agent of fleet) {
    const startAt = random() * (scenario.startsWithinMs ?? settleMs - 4 * minute);
    // The age of a static secret does not matter, so its polls begin late and save the time of simulating them.
    const pollAt =
      scenario.startsWithinMs === undefined ? settleMs - 4 * minute + random() * minute : startAt;
    for (const reference of agent.references) {
      set(reference, { action: 'read', at: reference.isLeased ? startAt : pollAt, why: 'first' });
    }
  }
  for (let slot = 0; slot * 100 < spanMs; slot += 1) {
    const now = slot * 100;
    if (now === scenario.revokeAllAt) isAnyLeaseAlive = false;
    if (now === scenario.eventAt) {
      for (const agent of fleet) {
        const [told] = agent.references;
        if (told !== undefined) set(told, { action: 'poll', at: now + 300 * random(), why: 'event' });
      }
    }
    for (const [reference, event] of calendar.take(slot)) if (reference.event === event) due(reference, now);
  }
  return { perSecond, leasedPerSecond };
}

function createAgent(random: () => number): Agent {
  const outage = createOutage({ limits: { ...limits.retry, maxMs: limits.retry.maxMs / 2 }, random });
  const agent: Agent = { references: [], outage, freeAt: 0 };
  for (let index = 0; index < 20; index += 1) {
    agent.references.push({
      agent,
      isLeased: index >= 20 - leasedPerAgent,
      value: undefined,
      failure: undefined,
      isExpired: false,
      grantedAt: 0,
      plan: { action: 'read', at: 0, why: '' },
      event: 0,
      isParked: false,
    });
  }
  return agent;
}

function view(reference: Reference): SecretView {
  const { value, isExpired, failure } = reference;
  const policy = { refreshMs, onStale: 'expire', onRemoved: 'keep', onDenied: 'keep' } as const;
  return { policy, value, isExpired, failure, askedAt: undefined, mintAllowedAt: 0 };
}

const base = { changesAt: undefined, rotationWaits: 0, doubtUntil: undefined };

function grant(reference: Reference, now: number): ValueView {
  const end = Math.min(now + leaseMs, reference.grantedAt + maxLeaseMs);
  const canRenew = end - now > leaseMs * 0.95 || end > (reference.value?.endsAt ?? 0) + second;
  return {
    ...base,
    kind: 'leased',
    confirmedAt: now,
    endsAt: end,
    lifeMs: end - now,
    canRenew,
    isShort: false,
    isNew: false,
  };
}

function poll(reference: Reference, now: number): ValueView {
  const isNew = reference.value === undefined;
  return {
    ...base,
    kind: 'static',
    confirmedAt: now,
    endsAt: undefined,
    lifeMs: 0,
    canRenew: false,
    isShort: false,
    isNew,
  };
}

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

export interface SimulationRow {
  readonly name: string;
  /** The busiest second and the busiest ten seconds, as multiples of the steady rate. */
  readonly peak: number;
  readonly peakOfTen: number;
  /** The busiest ten seconds of renewals and replacements, as a multiple of their steady rate. */
  readonly leasedPeakOfTen: number;
  readonly perSecond: number;
}

/** `agents` with 20 references each; the first row is the steady fleet that the others are measured by. */
export function* runScheduleSimulation(agents: number): Generator<SimulationRow> {
  let steady = 0;
  let steadyLeased = 0;
  for (const scenario of scenarios) {
    const spanMs = scenario.startsWithinMs === undefined ? settleMs + 30 * minute : 30 * minute;
    const rates = simulate(scenario, agents, spanMs);
    const seen = rates.perSecond.slice(scenario.fromMs / second, -1);
    const leased = rates.leasedPerSecond.slice(scenario.fromMs / second, -1);
    if (scenario.name === 'steady') {
      steady = mean(seen);
      steadyLeased = mean(leased);
    }
    const peak = Math.max(...seen);
    yield {
      name: scenario.name,
      peak: peak / steady,
      peakOfTen: busiestTen(seen) / steady,
      leasedPeakOfTen: busiestTen(leased) / steadyLeased,
      perSecond: peak,
    };
  }
}

function busiestTen(perSecond: readonly number[]): number {
  let most = 0;
  for (let at = 0; at + 10 <= perSecond.length; at += 1)
    most = Math.max(most, mean(perSecond.slice(at, at + 10)));
  return most;
}

if (import.meta.main) {
  const agents = Number(process.argv[2] ?? 10_000);
  console.log('| scenario | peak rate, 1 s | multiple of steady | over 10 s | leases alone, 10 s |');
  console.log('|---|---|---|---|---|');
  for (const row of runScheduleSimulation(agents)) {
    const multiples = [row.peak, row.peakOfTen, row.leasedPeakOfTen].map((times) => `${times.toFixed(2)} ×`);
    console.log(`| ${row.name} | ${row.perSecond} | ${multiples.join(' | ')} |`);
  }
}
