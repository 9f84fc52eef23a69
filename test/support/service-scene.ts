// The service with a quick emulator behind it, and a client of it.

import { startEmulator } from '../../src/emulator/server.ts';
import { Client } from './client.ts';
import { type RunningService, startService } from './service.ts';

export interface ServiceScene extends AsyncDisposable {
  readonly service: RunningService;
  readonly client: Client;
}

export async function startScene(env: Readonly<Record<string, string>> = {}): Promise<ServiceScene> {
  const emulator = await startEmulator({ chunkDelayMs: 0 });
  const service = await startService({
    VERTEX_AI_EMULATOR_HOST: emulator.address,
    DEFAULT_MODEL: 'emulator',
    ...env,
  });
  return {
    service,
    client: new Client(service.url),
    async [Symbol.asyncDispose]() {
      await service.close();
      await emulator.close();
    },
  };
}
