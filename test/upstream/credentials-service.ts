// The service in a process of its own, for the tests of credentials: google-auth-library reads the environment of its
// process. Says where it listens, and, when its input ends, what it has logged.

import { startService } from '../support/service.ts';

const [, , baseUrl = '', firstEventTimeoutMs = '10000', connectTimeoutMs = '5000'] = process.argv;
const service = await startService({
  GOOGLE_CLOUD_PROJECT: 'p',
  GOOGLE_VERTEX_BASE_URL: baseUrl,
  DEFAULT_MODEL: 'm',
  UPSTREAM_FIRST_EVENT_TIMEOUT_MS: firstEventTimeoutMs,
  UPSTREAM_CONNECT_TIMEOUT_MS: connectTimeoutMs,
});
process.stdout.write(`${service.url}\n`);
process.stdin.resume().once('end', async () => {
  await service.close();
  process.stdout.write(service.log());
});
