// Others of our kind, beside which the service is measured: installed and started only when they are asked for. Each is
// configured as its own documents say (README.md). Whoever cannot be had is named with the reason, and left out.

import { type Call, Connection } from '../http-client.ts';
import type { StartTarget } from '../targets/target.ts';
import { adk } from './adk.ts';
import { aiSdk } from './ai-sdk.ts';
import { install } from './install.ts';
import { langGraph } from './langgraph.ts';
import { portkey } from './portkey.ts';

const PEERS: Readonly<Record<string, StartTarget>> = { portkey, 'ai-sdk': aiSdk, adk, langgraph: langGraph };

/** Those that answer, of `wanted` or of all. */
export async function peers(
  modelPort: number,
  wanted?: readonly string[],
): Promise<Readonly<Record<string, StartTarget>>> {
  const asked = Object.entries(PEERS).filter(([name]) => wanted?.includes(name) ?? true);
  const answering: [string, StartTarget][] = [];
  try {
    if (asked.length > 0) install();
  } catch (error) {
    say(`without peers: ${reasonOf(error)}`);
    return {};
  }
  for (const [name, start] of asked) {
    try {
      await tryOut(start, modelPort);
      answering.push([name, start]);
    } catch (error) {
      say(`without ${name}: ${reasonOf(error)}`);
    }
  }
  return Object.fromEntries(answering);
}

/** Before it is measured, so that a peer that does not work is no failure of the run. */
async function tryOut(start: StartTarget, modelPort: number): Promise<void> {
  await using target = await start(modelPort);
  const [conversation] = await target.open(1);
  if (!conversation) throw new Error('it has no conversation');
  await answered(conversation.stream('[chunks:3] [every:1] [bytes:20]'));
  if (conversation.unary) await answered(conversation.unary('[chunks:1] [every:1] [bytes:20]'));
}

async function answered(call: Call): Promise<void> {
  const connection = new Connection(call.port);
  try {
    const { status, events, head, text } = await connection.call(call, { keepsText: true });
    if (status !== 200 || events === 0) throw new Error(`${call.path} was answered with\n${head}\n${text}`);
  } finally {
    connection.close();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
