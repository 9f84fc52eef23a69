// What an answer quotes, in the forms of both APIs, and over the chunks of a stream.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { read, readAll } from './read-response.ts';

describe('citations', () => {
  const cite = (citationMetadata: unknown) => read({ candidates: [{ citationMetadata }] }).candidates[0]?.citations;

  it('are read from the form of Vertex AI, with a start of 0 written out and empty fields left out', () => {
    const citations = [
      { endIndex: 128, uri: 'https://a', license: '' },
      { startIndex: 130, endIndex: 265, title: 'T', publicationDate: { year: 2019, month: 5, day: 10 } },
      { startIndex: 3, endIndex: 4, uri: 'https://c', license: 'mit', publicationDate: { year: 2020 } },
      { startIndex: 3, endIndex: 4, uri: 'https://d', publicationDate: { year: 987, month: 1 } },
    ];
    expect(cite({ citations })).toEqual([
      { startIndex: 0, endIndex: 128, url: 'https://a' },
      { startIndex: 130, endIndex: 265, url: '', title: 'T', publicationDate: '2019-05-10' },
      { startIndex: 3, endIndex: 4, url: 'https://c', license: 'mit', publicationDate: '2020' },
      { startIndex: 3, endIndex: 4, url: 'https://d', publicationDate: '0987-01' },
    ]);
  });

  it('are read from the form of the Developer API', () => {
    const citationSources = [{ endIndex: 5, uri: 'https://a', license: 'mit' }];
    expect(cite({ citationSources })).toEqual([{ startIndex: 0, endIndex: 5, url: 'https://a', license: 'mit' }]);
  });

  it('are absent when there are none', () => {
    for (const nothing of [{}, { citations: [] }, { citations: null }, null, 'x', { citations: 'x' }]) {
      expect(cite(nothing)).toBeUndefined();
    }
  });

  it('add up over the chunks of a stream: each chunk brings those of its own text', () => {
    const file = new URL('../recordings/files/streaming-success-citations.txt', import.meta.url);
    const lines = readFileSync(file, 'utf8').split('\r\n');
    const values = lines.filter((line) => line.startsWith('data:')).map((line) => JSON.parse(line.slice(5)));
    const cited = readAll(values).candidates[0]?.citations ?? [];
    expect(cited.map(({ startIndex, endIndex, url }) => [startIndex, endIndex, url.slice(-1)])).toEqual([
      [0, 128, '1'],
      [130, 265, ''],
      [272, 431, '3'],
      [574, 705, '4'],
      [899, 1026, ''],
      [899, 1026, '6'],
    ]);
  });

  it('are told once when a chunk repeats those of the chunks before, and apart by candidate', () => {
    const [a, b] = [
      { endIndex: 1, uri: 'a' },
      { endIndex: 2, uri: 'b' },
    ];
    const chunk = (index: number, ...citations: object[]) => ({
      candidates: [{ index, citationMetadata: { citations } }],
    });
    const { candidates } = readAll([
      chunk(0, a),
      chunk(1, b),
      chunk(0, a, b),
      { candidates: [{ finishReason: 'STOP' }] },
    ]);
    expect(candidates.map(({ citations }) => citations?.map(({ url }) => url))).toEqual([['a', 'b'], ['b']]);
  });
});
