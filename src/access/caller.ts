// Who asks, as far as it is known. Told once a connection; whoever is not known has the least rights.

/** A local process, by what the kernel says of the other end of a unix socket. */
export interface ProcessCaller {
  readonly kind: 'process';
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** 0: outside the agent's pid namespace; then the rest is unknown too. */
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot: with the pid it names one process for ever. */
  readonly startTime: string | undefined;
  /** Undefined when the agent may not read it (another user's process, and the agent is not root). */
  readonly exe: string | undefined;
  /** The unit of the system's manager that the process runs in: `billing.service`. */
  readonly unit: string | undefined;
  /** In another pid or user namespace than the agent: uid 0 is not the host's root there, nor the agent's uid the agent's. */
  readonly isForeign: boolean;
  /** The container's id, 64 hexadecimal digits. */
  readonly container: string | undefined;
}

/** A TCP caller that showed the token of a listener. */
interface TokenCaller {
  readonly kind: 'token';
  /** The names that a rule may use for the token: the listener's place and the token file's path. */
  readonly tokens: readonly string[];
  /** Its file belongs to another user or group than the agent's: its holder has what rules say, and no more. */
  readonly isGivenAway?: boolean;
}

/** A unit for which systemd loads a credential before it starts; what runs in it is not known yet. */
export interface UnitCaller {
  readonly kind: 'unit';
  readonly unit: string;
  /** Of systemd, which asks: root, or of a user's manager that user. */
  readonly uid: number;
}

/** Whoever reached a listener that is open to all. */
interface OpenCaller {
  readonly kind: 'open';
  /** Where the config says the listener. */
  readonly listener: string;
}

export interface UnknownCaller {
  readonly kind: 'unknown';
  /** One clause: `no token was shown`. */
  readonly why: string;
}

export type Caller = ProcessCaller | TokenCaller | UnitCaller | OpenCaller | UnknownCaller;

export function unknownCaller(why: string): UnknownCaller {
  return { kind: 'unknown', why };
}

export function openCaller(listener: string): OpenCaller {
  return { kind: 'open', listener };
}

export function unitCaller(unit: string, uid: number): UnitCaller {
  return { kind: 'unit', unit, uid };
}
