// The examples, as they are, against the service as the quick start has it.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type RunningService, startService } from './support/service.ts';

let service: RunningService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

async function output(example: string): Promise<string> {
  const path = fileURLToPath(new URL(`../examples/${example}.js`, import.meta.url));
  const env = { PATH: process.env.PATH, BASE_URL: service.url };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { env, timeout: 15_000 });
  expect(stderr).toBe('');
  return stdout;
}

/** The lines below a title. */
function section(text: string, title: string): readonly string[] {
  const [, after = ''] = text.split(`${title}\n`);
  return (after.split('\n\n')[0] ?? '').trimEnd().split('\n');
}

describe('the example', () => {
  test('edit-and-resend takes the question back and asks another', async () => {
    const text = await output('edit-and-resend');
    expect(section(text, 'Before:')).toHaveLength(6);
    const after = section(text, 'After:');
    expect(after).toHaveLength(4);
    expect(after[2]).toBe('  user And how do I get to Zürich?');
    expect(text).toContain('superseded: true');
  });

  test('retry replaces an answer, and asks a question that failed once more', async () => {
    const text = await output('retry');
    expect(section(text, 'The first answer:')).toHaveLength(2);
    const replaced = section(text, 'Another one, in its place:');
    expect(replaced).toHaveLength(2);
    expect(replaced[0]).toBe('  user A name for a lighthouse, please.');
    expect(text).toMatch(/ regenerates \S+: COMMITTED/);
    expect(text).toContain('The next question: unsupported_by_model');
    expect(section(text, 'After the retry:')).toHaveLength(4);
  });

  test('branch goes on in two ways', async () => {
    const text = await output('branch');
    expect(section(text, 'Dinner:')[2]).toBe('  user A soup then.');
    expect(section(text, 'Dinner, without soup:')[2]).toBe('  user Anything but soup.');
    expect(text).toContain('They have 2 messages in common.');
  });

  test('choose-answer picks the second of four', async () => {
    const text = await output('choose-answer');
    expect(text).toContain('* 1 of 4: ');
    const second = /2 of 4: (.{40})/.exec(text)?.[1] ?? 'none';
    expect(text).toContain('Chosen: 1');
    expect(section(text, 'The history:')[1]).toContain(second);
    expect(text).toContain('To choose again now: not_latest_turn');
  });

  test('leaves no session behind, whichever it is', async () => {
    expect((await new Client(service.url).get('/v1/sessions')).json.sessions).toEqual([]);
  });
});
