// What becomes of everything that is no answer: the contract's table of the upstream's errors, secrets in error texts,
// bodies of the wrong kind, and the limits.

import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startModel, WAYS, within } from '../support/model-scene.ts';
import { asJson, asStream, event, type Script, said, startUpstream } from '../support/upstream.ts';

type Row = [status: number, reason: string, code: string, retryable: boolean, tells: boolean];

const TABLE: readonly Row[] = [
  [400, 'INVALID_ARGUMENT', 'unsupported_by_model', false, true],
  [400, 'FAILED_PRECONDITION', 'unsupported_by_model', false, true],
  [400, 'OUT_OF_RANGE', 'unsupported_by_model', false, true],
  [404, 'NOT_FOUND', 'unsupported_by_model', false, true],
  [413, 'INVALID_ARGUMENT', 'unsupported_by_model', false, true],
  [401, 'UNAUTHENTICATED', 'model_error', false, false],
  [403, 'PERMISSION_DENIED', 'model_error', false, false],
  [429, 'RESOURCE_EXHAUSTED', 'model_overloaded', true, false],
  [408, 'DEADLINE_EXCEEDED', 'model_timeout', true, false],
  [504, 'DEADLINE_EXCEEDED', 'model_timeout', true, false],
  [499, 'CANCELLED', 'model_error', true, false],
  [500, 'INTERNAL', 'model_error', true, false],
  [501, 'UNIMPLEMENTED', 'model_error', true, false],
  [502, 'UNKNOWN', 'model_error', true, false],
  [503, 'UNAVAILABLE', 'model_error', true, false],
];

const TEXT = 'The text of the upstream.';

function statusBody(code: number, status: string, message = TEXT, details: readonly object[] = []) {
  return { error: { code, status, message, details } };
}

describe.each(WAYS)('an error of the upstream (%s)', (way) => {
  it.each(TABLE)('%i %s is %s, retryable %s', async (status, reason, code, retryable, tells) => {
    await using scene = await startModel((response) => asJson(response, status, statusBody(status, reason)));
    const { error } = await scene.ask(way);
    expect(error).toMatchObject({ code, retryable });
    expect(error?.message.includes(TEXT)).toBe(tells);
    expect(error?.details.diagnosis).toContain(String(status));
  });

  it.each(TABLE)(
    '%i %s is the same wrapped in an array, and after a status of 200',
    async (status, reason, code, retryable) => {
      const script: Script = (response, call) => {
        const body = statusBody(status, reason);
        if (call.model === 'wrapped') return asJson(response, status, [body]);
        return call.isStream
          ? void asStream(response).end(event(said('a')) + event(body))
          : asJson(response, 200, body);
      };
      await using scene = await startModel(script);
      for (const model of ['wrapped', 'inside']) {
        const { error } = await scene.ask(way, undefined, { model, examples: [], contents: [], settings: {} });
        expect(error).toMatchObject({ code, retryable });
      }
    },
  );

  it.each([400, 404, 413, 429, 500, 503, 504, 401, 403])(
    '%i as a page of HTML has the status alone to say it',
    async (status) => {
      await using scene = await startModel((response) => {
        response.writeHead(status, { 'content-type': 'text/html' }).end('<!DOCTYPE html><h1>secret page</h1>');
      });
      const { error } = await scene.ask(way);
      const [, , code] = TABLE.find(([known]) => known === status && status !== 413) ?? [0, '', 'model_error'];
      expect(error?.code).toBe(code);
      expect(error?.message).not.toContain('secret page');
    },
  );

  it('has its text cut to a length that helps', async () => {
    const long = statusBody(400, 'INVALID_ARGUMENT', 'x'.repeat(100_000));
    await using scene = await startModel((response) => asJson(response, 400, long));
    const { error } = await scene.ask(way);
    expect(error?.message.length).toBeLessThanOrEqual(500);
  });

  it('may be longer than anybody reads', async () => {
    const endless = statusBody(400, 'INVALID_ARGUMENT', 'x'.repeat(4 * 1024 ** 2));
    await using scene = await startModel((response) => asJson(response, 400, endless));
    expect(await scene.ask(way)).toMatchObject({ code: 'unsupported_by_model' });
  });
});

describe.each(WAYS)('a refused credential (%s)', (way) => {
  const details = [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' },
    { '@type': 'type.googleapis.com/google.rpc.DebugInfo', detail: 'Invalid API key: the-api-key' },
  ];

  it.each([
    [401, 'UNAUTHENTICATED', []],
    [403, 'PERMISSION_DENIED', []],
    [400, 'INVALID_ARGUMENT', details],
  ])('is never told to a client: %i %s', async (status, reason, given) => {
    const text = 'Bearer ya29.token of the-api-key may not use projects/our-secret-project';
    await using scene = await startModel((response) =>
      asJson(response, status, statusBody(status, reason, text, given)),
    );
    const { error } = await scene.ask(way);
    expect(error).toMatchObject({ code: 'model_error', retryable: false });
    expect(error?.message).not.toMatch(/ya29|api-key|our-secret-project|projects/);
    expect(scene.upstream.calls).toHaveLength(1);
  });
});

describe('an answer of the wrong kind', () => {
  const document = Buffer.from(JSON.stringify(said('hello', 'STOP')));

  it.each<[string, Script]>([
    ['HTML', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Sign in</html>')],
    [
      'gzip, that nobody asked for',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(document)),
    ],
    ['some other JSON', (response) => asJson(response, 200, { ok: true })],
    ['half a document', (response) => response.writeHead(200).end(document.subarray(0, 20))],
    ['bytes', (response) => response.writeHead(200).end(Buffer.from([0xff, 0xfe, 0x00]))],
  ])('is a model_protocol_error on both ways: %s', async (_name, script) => {
    await using scene = await startModel(script);
    for (const way of WAYS) expect(await scene.ask(way)).toMatchObject({ code: 'model_protocol_error', chunks: [] });
  });

  it('is a model_protocol_error when a document is empty, and a stream without chunks when a stream is', async () => {
    await using scene = await startModel((response) => void response.writeHead(200).end());
    expect(await scene.ask('generate')).toMatchObject({ code: 'model_protocol_error' });
    const empty = await scene.ask('stream');
    expect({ chunks: empty.chunks, code: empty.code }).toEqual({ chunks: [], code: undefined });
  });

  it('is none when only its content type is wrong', async () => {
    await using scene = await startModel((response, call) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.end(call.isStream ? event(said('hello', 'STOP')) : document);
    });
    for (const way of WAYS) expect(await scene.ask(way)).toMatchObject({ text: 'hello' });
  });

  it.each([301, 302, 303, 307, 308])('is not looked for elsewhere after a %i', async (status) => {
    await using elsewhere = await startUpstream((response) => asJson(response, 200, said('stolen', 'STOP')));
    await using scene = await startModel((response) => {
      response.writeHead(status, { location: `${elsewhere.url}/v1beta/models/m:generateContent` }).end();
    });
    for (const way of WAYS) expect(await scene.ask(way)).toMatchObject({ code: 'model_error', text: '' });
    expect(elsewhere.connections).toBe(0);
  });

  it('asks for no compression', async () => {
    await using scene = await startModel((response) => asJson(response, 200, said('a', 'STOP')));
    await scene.ask('generate');
    expect(scene.upstream.calls[0]?.headers).not.toHaveProperty('accept-encoding');
  });
});

describe('the limits of an answer', () => {
  const sized = (bytes: number) => {
    const rest = JSON.stringify(said('', 'STOP')).length;
    return JSON.stringify(said('x'.repeat(bytes - rest), 'STOP'));
  };

  it('let a document of the largest size pass, and no byte more', async () => {
    await using scene = await startModel(
      (response, { model }) => void response.writeHead(200).end(sized(Number(model))),
      {
        rules: { bodyBytesMax: 50_000 },
      },
    );
    const request = (size: number) => ({ model: String(size), examples: [], contents: [], settings: {} });
    expect((await scene.ask('generate', undefined, request(50_000))).error).toBeUndefined();
    expect((await scene.ask('generate', undefined, request(50_001))).code).toBe('answer_too_large');
  });

  it('end a document that would never end, and its connection', async () => {
    await using scene = await startModel(endless(`{"candidates":[${'{},'.repeat(5000)}`), {
      rules: { bodyBytesMax: 200_000 },
    });
    expect((await scene.ask('generate')).code).toBe('answer_too_large');
    await within(2000, 'the upstream saw the end', scene.upstream.calls[0]?.aborted ?? Promise.reject());
  });

  it('end a stream with an event that would never end, and its connection', async () => {
    await using scene = await startModel(endless('x'.repeat(15_000), `${event(said('a'))}data: "`), {
      rules: { eventSizeMax: 200_000 },
    });
    expect(await scene.ask('stream')).toMatchObject({ code: 'answer_too_large', text: 'a' });
    await within(2000, 'the upstream saw the end', scene.upstream.calls[0]?.aborted ?? Promise.reject());
  });
});

/** Writes the piece until nobody reads it any more. */
function endless(piece: string, first = ''): Script {
  return (response) => {
    asStream(response).write(first);
    const more = () => {
      while (!response.destroyed && response.write(piece));
    };
    response.on('drain', more);
    more();
  };
}
