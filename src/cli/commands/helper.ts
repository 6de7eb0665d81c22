// `latchkey helper`: speaks the credential helper protocols of git, docker, the AWS tools and kubectl.
import { describeError } from '../../base/errors.ts';
import { type SocketOptions, socketPathOf } from '../config-socket.ts';
import { answerAws } from '../helpers/aws-helper.ts';
import { answerDocker, notFoundMessage } from '../helpers/docker-helper.ts';
import { answerGit } from '../helpers/git-helper.ts';
import type { HelperContext } from '../helpers/helper-secret.ts';
import { answerKubernetes } from '../helpers/kubernetes-helper.ts';

interface HelperOptions extends SocketOptions {
  kind: 'git' | 'docker' | 'aws' | 'kubernetes';
  /** git and docker: the operation. aws and kubernetes: the secret's name, unless --secret says it. */
  operation?: string | undefined;
  secret?: string | undefined;
  host?: string | undefined;
}

export async function runHelper(options: HelperOptions): Promise<number> {
  const { kind, operation } = options;
  const speaksOnInput = kind === 'git' || kind === 'docker';
  const context: HelperContext = {
    socketPath: await socketPathOf(options),
    secret: options.secret ?? (speaksOnInput ? undefined : operation),
    host: options.host,
    input: speaksOnInput ? await readInput() : '',
    env: process.env,
  };
  let answer: string | undefined;
  try {
    answer = await answerOf(kind, operation, context);
  } catch (error) {
    // docker and its libraries show what a helper says on standard output, and nothing else.
    if (kind === 'docker') process.stdout.write(`${describeError(error)}\n`);
    throw error;
  }
  process.stdout.write(answer ?? `${notFoundMessage}\n`);
  return answer === undefined ? 1 : 0;
}

function answerOf(
  kind: HelperOptions['kind'],
  operation: string | undefined,
  context: HelperContext,
): Promise<string | undefined> {
  switch (kind) {
    case 'git':
      return answerGit(operation, context);
    case 'docker':
      return answerDocker(operation, context);
    case 'aws':
      return answerAws(context);
    case 'kubernetes':
      return answerKubernetes(context);
  }
}

async function readInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
    // git ends its question with an empty line, and may leave the pipe open.
    if (text.endsWith('\n\n')) break;
  }
  return text;
}
