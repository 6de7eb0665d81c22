// What GetSecretValue of AWS is asked: the words that its agent's callers, our listeners and our upstream share.
export interface AwsSecretQuery {
  /** A name or an ARN, whole or without its suffix. */
  readonly secretId: string;
  readonly versionId: string | undefined;
  readonly versionStage: string | undefined;
}
