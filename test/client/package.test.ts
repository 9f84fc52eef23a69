// The client as others get it: packed, installed, typechecked without our own packages, and run by an older Node.

import { execFile, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startScene } from '../support/service-scene.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const TYPESCRIPT = join(root, 'node_modules/typescript/bin/tsc');

let folder: string;
let consumer: string;
let installed: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'csp-test-client-'));
  const clone = cloneIn('clone');
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
  run(process.execPath, ['scripts/build-client.js'], clone);
  run('npm', ['pack', './dist', '--silent', '--pack-destination', folder], clone);
  const [packed = ''] = globSync('*.tgz', { cwd: folder });
  consumer = join(folder, 'consumer');
  installed = join(consumer, 'node_modules/chat-session-proxy');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(folder, packed), '-C', installed, '--strip-components=1'], folder);
  symlinkSync(join(root, 'node_modules/eventsource-parser'), join(consumer, 'node_modules/eventsource-parser'));
  writeFileSync(join(consumer, 'package.json'), '{"type":"module"}');
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a clone has of the things that the build reads, and no built client. */
function cloneIn(name: string): string {
  const clone = join(folder, name);
  for (const path of ['package.json', 'tsconfig.json', 'tsconfig.client.json', 'LICENSE', 'scripts']) {
    cpSync(join(root, path), join(clone, path), { recursive: true });
  }
  for (const path of ['src/client', 'src/chat']) cpSync(join(root, path), join(clone, path), { recursive: true });
  return clone;
}

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 50_000 });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  return stdout;
}

/** The machine's own Node where it is old enough to show something; this one where it is not, or where there is none. */
function oldNode(): string {
  const system = '/usr/bin/node';
  const version = existsSync(system) ? Number(run(system, ['--version'], tmpdir()).slice(1).split('.')[0]) : 0;
  return version >= 20 ? system : process.execPath;
}

/** The example of a README, at another address. */
function example(url: string, path = 'src/client/README.md'): string {
  const readme = readFileSync(join(root, path), 'utf8');
  const [, code = ''] = /<!-- example -->\n```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(code).toContain("'http://localhost:8080'");
  return code.replace("'http://localhost:8080'", JSON.stringify(url));
}

test('what is packed is the client and nothing else', () => {
  const files = globSync('**/*', { cwd: installed, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(installed.length + 1));
  const code = paths.filter((path) => path.endsWith('.js'));
  expect(code).toContain('client/client.js');
  expect(code.filter((path) => !path.startsWith('client/'))).toEqual([]);
  const rest = paths.filter((path) => !/^(client|chat)\/[a-z-]+\.(d\.ts|js)$/.test(path));
  expect(rest.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
});

test('it asks for Node 20 and the parser of streams, and for nothing of the service', () => {
  const packed = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(packed).toMatchObject({ name: own.name, version: own.version, engines: { node: '>=20' } });
  expect(packed.dependencies).toEqual({ 'eventsource-parser': own.dependencies['eventsource-parser'] });
  expect(Object.keys(packed)).not.toEqual(expect.arrayContaining(['optionalDependencies', 'scripts', 'bin']));
  expect(readFileSync(join(installed, 'README.md'), 'utf8')).toBe(
    readFileSync(join(root, 'src/client/README.md'), 'utf8'),
  );
});

test('its code imports its own files and the parser, its types nothing that is not there', () => {
  const code = globSync('**/*.js', { cwd: installed }).map((path) => readFileSync(join(installed, path), 'utf8'));
  const imports = code.flatMap((text) => [...text.matchAll(/\bfrom ['"]([^'"]+)['"]/g)].map(([, from = '']) => from));
  expect(new Set(imports.filter((from) => !/^\.\/[a-z-]+\.js$/.test(from)))).toEqual(new Set(['eventsource-parser']));
  const types = globSync('**/*.d.ts', { cwd: installed }).map((path) => readFileSync(join(installed, path), 'utf8'));
  expect(types.filter((text) => /(from |import\()['"][^'"]+\.ts['"]/.test(text))).toEqual([]);
});

const RESOLUTIONS = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
};

const CONSUMER = `
import { ChatModel, type ChatMessage, type MultiCandidateTextGenerationResponse } from 'chat-session-proxy/client';
import type { TextGenerationResponse, TurnStream } from 'chat-session-proxy/client';

const chat = ChatModel.fromPretrained('m', { baseUrl: 'http://localhost', token: () => 'x', fetch }).startChat({
  examples: [{ input: 'a', output: 'b' }],
  messageHistory: [{ author: 'user', content: 'a' }, { author: 'assistant', parts: [{ text: 'b' }] }],
  thinkingConfig: { thinkingLevel: 'LOW' },
});
export const turn: MultiCandidateTextGenerationResponse = await chat.sendMessage('Hi', {
  temperature: null,
  groundingSource: { type: 'webSearch' },
  signal: AbortSignal.timeout(1000),
});
export const numbers: readonly number[] = [turn.usage.totalTokens, turn.candidates.length];
export const stream: TurnStream = chat.sendMessageStreaming([{ text: 'Hi' }], { onDisconnect: 'continue' });
for await (const chunk of stream) {
  const { text, isBlocked, index }: TextGenerationResponse = chunk;
  console.log(text, isBlocked, index, chunk.finishReason);
}
export const cancelled: MultiCandidateTextGenerationResponse = await stream.cancel({ keep: 'partial' });
export const same: MultiCandidateTextGenerationResponse = await chat.cancelTurn(cancelled.turnId);
export const messages: ChatMessage[] = await chat.messageHistory().toArray();
export const version: number = (await chat.update({ metadata: { a: null }, ttl: null }, { ifMatch: 3 })).version;
// @ts-expect-error: a setting that does not exist.
await chat.sendMessage('Hi', { temprature: 1 });
// @ts-expect-error: a message is text or parts.
await chat.sendMessage({ text: 'Hi' });
`;

test.each(Object.entries(RESOLUTIONS))('it typechecks by itself, strictly, with %s', (name, resolution) => {
  writeFileSync(join(consumer, 'consumer.ts'), CONSUMER);
  writeFileSync(join(consumer, 'example.ts'), example('http://localhost'));
  const compilerOptions = {
    ...resolution,
    ...{ target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true, noEmit: true, skipLibCheck: false },
    exactOptionalPropertyTypes: name === 'bundler',
  };
  const project = join(consumer, `tsconfig.${name}.json`);
  writeFileSync(project, JSON.stringify({ compilerOptions, files: ['consumer.ts', 'example.ts'] }));
  expect(run(process.execPath, [TYPESCRIPT, '-p', project], consumer)).toBe('');
});

test('the example of the README runs, with an older Node where there is one', async () => {
  await using scene = await startScene();
  writeFileSync(join(consumer, 'example.mjs'), example(scene.client.url));
  // Not spawnSync: the service is in this process.
  const { stdout, stderr } = await promisify(execFile)(oldNode(), ['example.mjs'], { cwd: consumer, timeout: 15_000 });
  expect(stderr).toBe('');
  const lines = stdout.trimEnd().split('\n');
  expect(lines.filter((line) => /^(user|bot): /.test(line)).map((line) => line.split(': ')[0])).toEqual([
    'user',
    'bot',
    'user',
    'bot',
  ]);
  expect(stdout).toContain('user: And a streamed one');
  expect(lines.at(-1)).toBe('session_not_found 404 false');
});

test('so does the one of the root', async () => {
  await using scene = await startScene();
  writeFileSync(join(consumer, 'root.mjs'), example(scene.client.url, 'README.md'));
  const { stdout } = await promisify(execFile)(oldNode(), ['root.mjs'], { cwd: consumer, timeout: 15_000 });
  expect(stdout.replaceAll('\n', '')).toContain('Hello there');
});

test('leaving a stream works there, too, and keeps no process alive', async () => {
  await using scene = await startScene();
  const code = `
    import { ChatModel } from 'chat-session-proxy/client';
    const chat = ChatModel.fromPretrained('emulator', { baseUrl: ${JSON.stringify(scene.client.url)} }).startChat();
    for await (const chunk of chat.sendMessageStreaming('[[slow:100]] [[chunks:50]] Hi')) if (chunk.text) break;
    console.log((await chat.messageHistory().toArray()).length, (await chat.sendMessage('Hi')).state);
  `;
  writeFileSync(join(consumer, 'leave.mjs'), code);
  const { stdout } = await promisify(execFile)(oldNode(), ['leave.mjs'], { cwd: consumer, timeout: 15_000 });
  expect(stdout).toBe('0 COMMITTED\n');
});

test('where TypeScript is not installed there is nothing to build, and nothing fails', () => {
  const clone = cloneIn('production');
  expect(run('npm', ['run', '--silent', 'prepare'], clone)).toContain('not built');
  expect(existsSync(join(clone, 'dist'))).toBe(false);
  // A container's first layer has the package's files alone.
  rmSync(join(clone, 'scripts'), { recursive: true });
  expect(run('npm', ['run', '--silent', 'prepare'], clone)).toBe('');
});
