// A fixed series of requests to every dialect, as text to compare with what was recorded.
import { awsByAnyId, awsRequests } from './aws-requests.ts';
import { nativeRequests, otherNativeRequests } from './native-requests.ts';
import {
  adminRequests,
  deniedRequests,
  hookRequests,
  otherRequests,
  systemdRequests,
} from './other-requests.ts';
import { type RecordOptions, record } from './scene.ts';
import { heldByVault, passedOnToVault, vaultRequests } from './vault-requests.ts';

/** The whole record, one block for each request. */
export function recordAnswers(options: RecordOptions = {}): Promise<string> {
  const plays = [
    nativeRequests,
    awsRequests,
    vaultRequests,
    otherNativeRequests,
    awsByAnyId,
    passedOnToVault,
    heldByVault,
    systemdRequests,
    hookRequests,
    adminRequests,
    otherRequests,
    deniedRequests,
  ];
  return record(plays, options);
}
