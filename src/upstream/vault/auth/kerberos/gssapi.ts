// The little of MIT Kerberos' GSS-API that one login needs: a ticket by a keytab, and the SPNEGO token that shows it. Each call
// blocks for as long as a KDC lets it wait: it is for a process of its own.
import { loadLibrary } from '../../../../base/system/libc.ts';

export interface SpnegoRequest {
  /** `app@EXAMPLE.COM`, of the keytab. */
  readonly principal: string;
  /** `HTTP/vault.example.com@EXAMPLE.COM`. */
  readonly service: string;
  /** As libkrb5 names it: `FILE:/etc/app.keytab`. */
  readonly keytab: string;
}

const libraryName = 'libgssapi_krb5.so.2';
// DER contents of the object identifiers: Kerberos, SPNEGO, GSS_C_NT_USER_NAME and GSS_KRB5_NT_PRINCIPAL_NAME.
const kerberos = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
const spnego = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
const userName = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x01, 0x01];
const principalName = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01];
const [toInitiate, indefinite] = [1, 0xffffffff];
/** GSS_C_CONF_FLAG and GSS_C_INTEG_FLAG: what verifiers that look expect to be there. */
const flags = 0x10 | 0x20;
const errorMask = 0xffff0000;

type Pointer = unknown;
interface Output {
  length: number;
  value: Pointer;
}

/** Throws an Error that says what the library says. */
export function spnegoToken(request: SpnegoRequest): Buffer {
  const gss = bindLibrary();
  const principal = gss.name(request.principal, userName);
  const target = gss.name(request.service, principalName);
  const credential: Pointer[] = [null];
  const store = [
    { key: 'client_keytab', value: request.keytab },
    // Nothing of it stays on the disk, nor is a ticket of somebody else used.
    { key: 'ccache', value: 'MEMORY:latchkey' },
  ];
  // Kerberos by itself first: SPNEGO's own refusal says nothing of why. The ticket stays in the cache for the second.
  for (const mechanism of [kerberos, spnego]) {
    gss.check(`no ticket for ${request.principal}`, (minor) =>
      gss.acquire(
        ...[minor, principal, indefinite, { count: 1, elements: [gss.oid(mechanism)] }, toInitiate],
        ...[{ count: store.length, elements: store }, credential, null, null],
      ),
    );
  }
  const output: Output = { length: 0, value: null };
  gss.check(`no token for ${request.service}`, (minor) =>
    gss.init(
      ...[minor, credential[0], [null], target, gss.oid(spnego), flags, 0, null, null],
      ...[null, output, null, null],
    ),
  );
  return gss.bytes(output);
}

function bindLibrary() {
  const { koffi, library } = open();
  koffi.struct('gss_buffer', { length: 'size_t', value: 'void *' });
  const oidType = koffi.struct('gss_oid', { length: 'uint32_t', elements: 'void *' });
  koffi.struct('gss_oid_set', { count: 'size_t', elements: koffi.pointer(oidType) });
  const pair = koffi.struct('gss_key_value', { key: 'const char *', value: 'const char *' });
  koffi.struct('gss_key_values', { count: 'uint32_t', elements: koffi.pointer(pair) });
  type Call = (...args: unknown[]) => number;
  const call = (declaration: string): Call => library.func(declaration) as unknown as Call;
  const importName = call(
    'uint32_t gss_import_name(_Out_ uint32_t *, const gss_buffer *, const gss_oid *, _Out_ void **)',
  );
  const display = call(
    'uint32_t gss_display_status(_Out_ uint32_t *, uint32_t, int, const gss_oid *, _Inout_ uint32_t *, _Out_ gss_buffer *)',
  );
  const oid = (bytes: readonly number[]) => ({ length: bytes.length, elements: Buffer.from(bytes) });
  const bytes = ({ length, value }: Output): Buffer =>
    length === 0
      ? Buffer.alloc(0)
      : Buffer.from(koffi.decode(value, koffi.array('uint8_t', length)) as Uint8Array);

  /** All lines of a status: 1 is of the GSS-API, 2 of Kerberos. */
  const textOf = (status: number, kind: 1 | 2): string => {
    const lines: string[] = [];
    const more = [0];
    do {
      const text: Output = { length: 0, value: null };
      if (display([0], status, kind, null, more, text) !== 0) break;
      lines.push(bytes(text).toString('utf8').replace(/\0+$/, ''));
    } while (more[0] !== 0 && lines.length < 8);
    return lines.join(', ');
  };
  const check = (what: string, run: (minor: number[]) => number): void => {
    const minor = [0];
    const major = run(minor);
    if ((major & errorMask) === 0) return;
    const said = [textOf(major, 1), minor[0] ? textOf(minor[0], 2) : ''].filter((text) => text !== '');
    throw new Error(`${what}: ${said.join(': ')}`);
  };
  return {
    acquire: call(
      'uint32_t gss_acquire_cred_from(_Out_ uint32_t *, void *, uint32_t, gss_oid_set *, int, gss_key_values *, _Out_ void **, void *, void *)',
    ),
    init: call(
      'uint32_t gss_init_sec_context(_Out_ uint32_t *, void *, _Inout_ void **, void *, const gss_oid *, uint32_t, uint32_t, void *, void *, void *, _Out_ gss_buffer *, void *, void *)',
    ),
    oid,
    bytes,
    check,
    name(text: string, type: readonly number[]): Pointer {
      const value = Buffer.from(text, 'utf8');
      const name: Pointer[] = [null];
      check(`the name ${JSON.stringify(text)} is not good`, (minor) =>
        importName(minor, { length: value.length, value }, oid(type), name),
      );
      return name[0];
    },
  };
}

function open(): ReturnType<typeof loadLibrary> {
  try {
    return loadLibrary(libraryName);
  } catch {
    throw new Error(
      `this host lacks ${libraryName}: install MIT Kerberos' library (libgssapi-krb5-2, krb5-libs)`,
    );
  }
}
