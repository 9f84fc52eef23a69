// What a person sees at start: what answers, what keeps, and the commands to try.

import type { Config } from './config.ts';

export function banner(config: Config, url: string): string {
  return `${[`chat-session-proxy listens on ${url}`, model(config), store(config), callers(config), ...tryIt(config, url)].join('\n')}\n`;
}

function model({ backend }: Config): string {
  switch (backend.kind) {
    case 'built-in':
      return '  model: NO MODEL IS CONFIGURED, the built-in emulator answers (set GOOGLE_CLOUD_PROJECT or GEMINI_API_KEY)';
    case 'emulator':
      return `  model: the Vertex AI stand-in at ${backend.address} (VERTEX_AI_EMULATOR_HOST), whatever else is set`;
    case 'vertex':
      return `  model: Vertex AI, project ${backend.project}, location ${backend.location}`;
    case 'gemini-api':
      return '  model: Gemini Developer API';
    default:
      return backend satisfies never;
  }
}

function store({ redis }: Config): string {
  if (!redis) return "  store: THIS PROCESS'S MEMORY, histories are lost when it ends (set REDIS_URL)";
  return `  store: Redis (${redis.target.kind}), keys under ${redis.keyPrefix}`;
}

function callers({ identity }: Config): string {
  switch (identity.kind) {
    case 'none':
      return '  callers: EVERYBODY IS THE SAME OWNER (AUTH=none; see docs/identity.md)';
    case 'api-key':
      return `  callers: by API keys in ${identity.file ?? 'Redis (npm run keys -- create --owner NAME)'}`;
    case 'jwt':
      return `  callers: by tokens of ${identity.rules.issuer}`;
    case 'gateway':
      return `  callers: as the gateway says in ${identity.rules.ownerHeader}`;
    default:
      return identity satisfies never;
  }
}

function tryIt(config: Config, url: string): readonly string[] {
  if (config.isProduction || config.defaultModel === undefined || config.identity.kind !== 'none') return [];
  const session = `${url}/v1/sessions`;
  const json = `-H 'content-type: application/json'`;
  return [
    '',
    'Try it:',
    `  curl -s ${session} ${json} -d '{"id":"first","context":"You are terse."}'`,
    `  curl -s ${session}/first/messages ${json} -d '{"message":"Hello there"}'`,
    `  curl -sN ${session}/first/messages/stream ${json} -d '{"message":"And a streamed one"}'`,
    `  curl -s ${session}/first/messages`,
    '',
  ];
}
