// JSON of the upstream: what is nested too deep could be read and kept, but never be written again.

import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/adapters/upstream/parse-json.ts';
import { startModel, WAYS } from '../support/model-scene.ts';
import { asStream, event, said } from '../support/upstream.ts';

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('JSON of the upstream', () => {
  it('is read as deep as anything sensible is', () => {
    expect(JSON.stringify(parseJson(nested(256)))).toBe(nested(256));
  });

  it.each([257, 5000, 100_000])('is refused %i levels deep', (levels) => {
    expect(() => parseJson(nested(levels))).toThrow(expect.objectContaining({ code: 'model_protocol_error' }));
  });

  it('may have any brackets in its texts', () => {
    const text = `${'[{'.repeat(5000)}"\\`;
    expect(parseJson(JSON.stringify({ text }))).toEqual({ text });
  });

  it('may be as wide as it likes', () => {
    const wide = Array.from({ length: 5000 }, () => ({ a: [] }));
    expect(parseJson(JSON.stringify(wide))).toEqual(wide);
  });
});

describe.each(WAYS)('a deep answer (%s)', (way) => {
  it.each(['groundingMetadata', 'safetyRatings', 'content'])('in %s is no answer', async (field) => {
    const hostile = JSON.stringify(said('a', 'STOP')).replace('"index":0', `"index":0,"${field}":${nested(5000)}`);
    await using scene = await startModel((response, { isStream }) => {
      if (isStream) asStream(response).end(`${event(said('before '))}data: ${hostile}\n\n`);
      else response.writeHead(200).end(hostile);
    });
    expect(await scene.ask(way)).toMatchObject({ code: 'model_protocol_error' });
  });
});
