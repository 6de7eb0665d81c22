// Kinds of bytes, for those who ask it of every byte of a text.

/** 1 for each byte that is such a sign of Latin-1, 0 for all others. */
export function byteClass(sign: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => Number(sign.test(String.fromCharCode(byte))));
}

export const isHexDigit: Uint8Array = byteClass(/[0-9a-fA-F]/);
