// Others of our kind, beside which the service is measured: installed and started only when they are asked for. Each is
// configured as its own documents say (README.md). Whoever cannot be had is named with the reason, and left out.

import { Connection } from '../http-client.ts';
import type { StartTarget, Target } from '../targets/target.ts';
import { adk } from './adk.ts';
import { aiSdk } from './ai-sdk.ts';
import { install } from './install.ts';
import { portkey } from './portkey.ts';

const PEERS: Readonly<Record<string, StartTarget>> = { portkey, 'ai-sdk': aiSdk, adk };

/** Those of `wanted`, or all. The caller disposes of them. */
export async function startPeers(modelPort: number, wanted: readonly string[] | undefined): Promise<readonly Target[]> {
  const peers = Object.entries(PEERS).filter(([name]) => wanted?.includes(name) ?? true);
  const targets: Target[] = [];
  try {
    if (peers.length > 0) install();
  } catch (error) {
    say(`no peers: ${reasonOf(error)}`);
    return targets;
  }
  for (const [name, start] of peers) {
    try {
      targets.push(await startOne(start, modelPort));
    } catch (error) {
      say(`without ${name}: ${reasonOf(error)}`);
    }
  }
  return targets;
}

/** It has started when it has answered, in both ways: what it takes until then is not measured. */
async function startOne(start: StartTarget, modelPort: number): Promise<Target> {
  const target = await start(modelPort);
  try {
    const [conversation] = await target.open(1);
    const calls = [
      conversation?.stream('[chunks:3] [every:1] [bytes:20]'),
      conversation?.unary?.('[chunks:1] [bytes:20]'),
    ];
    for (const call of calls.filter((one) => one !== undefined)) {
      const connection = new Connection(call.port);
      const { status, events, head, text } = await connection.call(call, { keepsText: true });
      connection.close();
      if (status !== 200 || events === 0) throw new Error(`${call.path} was answered with ${head}\n${text}`);
    }
    return target;
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
