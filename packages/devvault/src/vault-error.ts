// Refusals as Vault words them: an HTTP status and the strings of `{"errors":[…]}`. The router turns them into answers.

/** Thrown by engines and auth methods; never holds a secret's value. */
export class VaultError extends Error {
  readonly status: number;
  readonly errors: readonly string[];
  readonly warnings: readonly string[] | undefined;

  constructor(status: number, errors: readonly string[], warnings?: readonly string[]) {
    super(errors.join('; ') || `status ${status}`);
    this.name = 'VaultError';
    this.status = status;
    this.errors = errors;
    this.warnings = warnings;
  }
}

/** Vault's answer to a wrong request: the message alone. */
export function badRequest(message: string): VaultError {
  return new VaultError(400, [message]);
}

/** The form in which Vault shows errors that passed through its error collector. */
export function collected(status: number, ...messages: string[]): VaultError {
  const count = messages.length === 1 ? '1 error occurred' : `${messages.length} errors occurred`;
  return new VaultError(status, [`${count}:\n\t* ${messages.join('\n\t* ')}\n\n`]);
}

export function notFound(): VaultError {
  return new VaultError(404, []);
}

export function permissionDenied(): VaultError {
  return collected(403, 'permission denied');
}
