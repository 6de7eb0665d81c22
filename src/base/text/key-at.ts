// The name of a key of something that the config has, for messages.

/** `files[2]` and `mode`: `files[2].mode`; of several files `files[2] of /etc/latchkey/web.yaml`: `files[2].mode of /etc/…`. */
export function keyAt(place: string, key: string): string {
  const [, name = place, file = ''] = /^(.*?)( of \/.*)?$/s.exec(place) ?? [];
  return `${name}.${key}${file}`;
}
