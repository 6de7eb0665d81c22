// For each command what people type, and what it is for: in its help and in its manual page. A test parses every line.

/** Words after `latchkey`, as a shell would take them, and what they do. */
export type Example = readonly [words: string, does: string];

export const examples: Readonly<Record<string, readonly Example[]>> = {
  agent: [['agent --config /etc/latchkey', 'run the agent by the files of a folder']],
  run: [
    ['run -- ./server --port 8080', 'with the secrets of the config in its environment'],
    [
      'run --socket /run/latchkey/latchkey.sock --process legacy -- ./server',
      "from the agent that runs, as the config's process has them",
    ],
  ],
  render: [
    ['render', 'write every file once, tell its programs, and end'],
    ['render --diff', 'show what would change, secrets masked'],
    ['render --diff --exit-code', 'in CI: end with 6 where a file would change'],
  ],
  get: [
    ['get stripe key', 'one field, byte for byte'],
    ['get database --json', 'all fields, as JSON'],
  ],
  status: [
    ['status', 'what the agent holds, waits for and plans'],
    ['status --watch', 'the same, drawn again in place every second'],
    ['status --json', 'for programs: one line of JSON, as GET /status answers it'],
  ],
  refresh: [
    ['refresh', 'ask upstream for all secrets now'],
    ['refresh stripe database', 'for these alone'],
  ],
  rotate: [
    ['rotate database', 'another credential now; the old one goes after its overlap'],
    ['rotate database --revoke-now', 'it leaked: the old one goes as soon as its users have moved'],
  ],
  'log-level': [
    ['log-level debug --for 10m', "more for ten minutes, then the config's level again"],
    ['log-level', 'what is logged at least, and until when'],
  ],
  stop: [
    ['stop', 'end the agent; the next start goes on with its leases'],
    ['stop --revoke', 'give back all that it was issued: for a host that goes'],
  ],
  explain: [
    ['explain stripe', 'a secret: where from, who has it, what is next and why'],
    ['explain /etc/app.conf', 'a file: the step that it is at, what it waits for, its last steps'],
    ['explain vault', 'an upstream: its login, its trouble, and the remedy'],
  ],
  'who-has': [
    ['who-has stripe', 'who holds which version'],
    ['who-has stripe@6', 'who still holds version 6'],
  ],
  timeline: [
    ['timeline stripe', 'what its last three rotations did, step by step'],
    ['timeline --last 10', 'the last ten of all secrets'],
  ],
  drill: [
    ['drill stripe', 'rehearse a rotation on staged copies, with the real checks'],
    ['drill database --kind outage', 'what each of its users would do without the vault'],
  ],
  validate: [
    ['validate', 'all problems of the config and its templates'],
    ['validate --online', 'ask the upstreams too, and print the policy lines that are missing'],
  ],
  access: [['access test stripe --user www-data', 'may this user have it, and by which rule']],
  audit: [
    ['audit query stripe --since 1h', 'who asked for it in the last hour, and what they got'],
    ['audit verify', 'check the chain of the audit files'],
  ],
  migrate: [
    ['migrate agent.hcl', "print what Vault Agent's file is in latchkey.yaml"],
    ['migrate agent.hcl --check --output latchkey.yaml', 'write it, and show that both mean the same'],
  ],
  'consul-template': [['consul-template', 'the words of consul-template follow: -template in:out -once']],
  envconsul: [['envconsul', 'the words of envconsul follow: -secret secret/app ./server']],
  dev: [['dev --seed seed.yaml', 'a vault in memory with these secrets, for trying out']],
  ui: [
    ['ui', "the host's status as a page, opened in the browser"],
    ['ui --no-open --port 41873', 'the link alone, at this port: for a page over ssh -L'],
  ],
  demo: [['demo --once', 'rotate once and end']],
  helper: [
    ['helper git get --secret github', 'what git asks its credential helper'],
    ['helper aws deploy', 'the secret deploy as credential_process of AWS'],
  ],
  file: [
    ['file init app.env.age', 'make a sealed file and its key'],
    ['file set app.env.age STRIPE_KEY', 'ask for the value, and put it in'],
  ],
  'generate-config': [['generate-config --full', 'a config with every key, each with its comment']],
  version: [['version --json', 'the release, for programs']],
  completion: [['completion bash', 'for ~/.bashrc: source <(latchkey completion bash)']],
  man: [
    ['man', 'the page of the program: latchkey man | man -l -'],
    ['man --output /usr/local/share/man/man1', 'every page as a file'],
  ],
};
