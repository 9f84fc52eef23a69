// The emulator as its own process: `node src/emulator/main.ts --host 0.0.0.0 --port 8085 [--chunk-delay-ms 25]`.
import { parseArgs } from 'node:util';
import { startEmulator } from './server.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8085' },
    'chunk-delay-ms': { type: 'string', default: '25' },
  },
});

const emulator = await startEmulator({
  host: values.host,
  port: wholeNumber('--port', values.port),
  chunkDelayMs: wholeNumber('--chunk-delay-ms', values['chunk-delay-ms']),
});
process.stdout.write(`Vertex AI emulator listening on ${emulator.address}\n`);

// Nothing is left to run after the close, so the process ends by itself, with 0.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void emulator.close());

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error(`${name} must be a whole number, not ${text}`);
  return Number(text);
}
