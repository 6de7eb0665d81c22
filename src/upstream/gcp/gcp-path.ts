// What a path of a reference means at Google Secret Manager.
import { LatchkeyError } from '../../base/errors.ts';

interface SecretPlace {
  /** `projects/P/secrets/S/versions/V` */
  readonly resource: string;
  readonly key: string | undefined;
}

interface GcpDefaults {
  readonly project: string | undefined;
  readonly location: string | undefined;
}

/** `NAME`, `NAME/versions/3`, or all of `projects/P/secrets/NAME`; `#KEY` is a field of its JSON. Throws `request_invalid`. */
export function parseGcpPath(
  path: string,
  config: GcpDefaults,
  parameters: Readonly<Record<string, string>> = {},
): SecretPlace {
  const [, where = '', key] = /^([^#]*)(?:#(.*))?$/s.exec(path) ?? [];
  if (key === '') throw new LatchkeyError('request_invalid', `${path}: expected a field after #`);
  const found =
    /^(?:projects\/([^/]+)\/(?:locations\/([^/]+)\/)?secrets\/)?([A-Za-z0-9_-]{1,255})(?:\/versions\/([^/]+))?$/.exec(
      where,
    );
  const [, project = config.project, location = config.location, secret = '', version] = found ?? [];
  if (found === null)
    throw new LatchkeyError('request_invalid', `${path}: expected NAME or projects/PROJECT/secrets/NAME`);
  if (project === undefined) {
    throw new LatchkeyError('request_invalid', `${path}: expected a project`, {
      remedy: 'set project at this upstream',
    });
  }
  const at = location === undefined ? '' : `/locations/${encodeURIComponent(location)}`;
  const chosen = encodeURIComponent(parameters['version'] ?? version ?? 'latest');
  return {
    resource: `projects/${encodeURIComponent(project)}${at}/secrets/${secret}/versions/${chosen}`,
    key,
  };
}
