// Files in messages: what a place on the list lets through, and that nothing that reads like it does.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Part } from '../../src/chat/content.ts';
import { ChatError } from '../../src/chat/errors.ts';
import { checkFileUris, isAllowedUri } from '../../src/chat/file-uris.ts';

const ALLOWED = ['gs://ours', 'gs://shared/public', 'https://files.example', 'https://cdn.example/open/'];

describe('a file', () => {
  it.each([
    'gs://ours/a.pdf',
    'gs://ours/deep/er/a b (1).pdf',
    'gs://ours/ünïcode/𝄞.pdf',
    'gs://ours/..hidden/a...b/c..',
    'gs://shared/public/a',
    'https://files.example/a',
    'https://files.example/v0/b/x/o/images%2Fcat.png?alt=media&token=1-2',
    'https://files.example/watch?v=a.b',
    'https://cdn.example/open/a%20b',
  ])('%s may be named', (uri) => {
    expect(isAllowedUri(uri, ALLOWED)).toBe(true);
  });

  it.each([
    '',
    'gs://ours',
    'gs://ours-evil/a',
    'gs://ours.evil/a',
    'gs://our/a',
    'gs://OURS/a',
    'GS://ours/a',
    ' gs://ours/a',
    'gs:ours/a',
    'gs:///ours/a',
    'gs://evil/gs://ours/a',
    'gs://ours/../evil/a',
    'gs://ours/a/..',
    'gs://ours/./a',
    'gs://ours/%2e%2E/evil/a',
    'gs://ours/.%2e/evil',
    'gs://ours/a%2f..%2fb',
    'gs://ours/a%2f%2e%2e%2fb',
    'gs://ours/%252e%252e/evil',
    'gs://ours/a%25252fb',
    'gs://ours/..;/evil',
    'gs://ours/..;x=y/evil',
    'gs://ours/..?a',
    'gs://ours/..#a',
    'gs://ours/a\\..\\b',
    'gs://ours\\evil/a',
    'gs://ours/.\t./evil/a',
    'gs://ours/a\n',
    'gs://ours/.. ',
    'gs://ours/.. ?a',
    'gs://ours/..%20/a',
    'gs://ours/a\u0000',
    'gs://ours/a%00',
    'gs://ours/a%0d%0aX: y',
    'gs://ours/\u2028a',
    'gs://ours/a\u202efdp',
    'gs://shared/a',
    'gs://shared/public',
    'gs://shared/publicity/a',
    'gs://shared/public/../a',
    'http://files.example/a',
    'https://files.example',
    'https://files.example.evil/a',
    'https://files.example:8443/a',
    'https://files.example@evil/a',
    'https://files.example:x@evil/a',
    'https://user@files.example/a',
    'https://files.example%2f@evil/a',
    'https://files.example?/a',
    'https://files.example#/a',
    'https://files.example\\@evil/a',
    'https:/\\files.example/a',
    'https:files.example/a',
    '//files.example/a',
    'https://files.example./a',
    'https://cdn.example/closed/a',
    'https://cdn.example/open/..%5cclosed/a',
    'file:///etc/passwd',
    'http://169.254.169.254/computeMetadata/v1/',
  ])('%j may not', (uri) => {
    expect(isAllowedUri(uri, ALLOWED)).toBe(false);
  });

  it('is on an allowed host, in an allowed folder, whatever else its address says, as URLs are read', () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '%2e',
      '%2F',
      '%5c',
      '%252e',
      '@',
      ':',
      '?',
      '#',
      ';',
      '\t',
      '\n',
      ' ',
      'a',
      'evil',
      '.example',
      '\u2028',
      '%00',
    );
    const start = fc.constantFrom(
      'https://cdn.example',
      'https://cdn.example/open',
      'https://cdn.example/open/',
      'HTTPS://cdn.example/open/',
      'https:/',
      'https:\\\\cdn.example/open/',
    );
    let taken = 0;
    fc.assert(
      fc.property(start, fc.array(piece, { maxLength: 8 }), (before, pieces) => {
        const uri = before + pieces.join('');
        if (!isAllowedUri(uri, ALLOWED)) return;
        taken += 1;
        const { protocol, host, username, pathname } = new URL(uri);
        expect([protocol, host, username]).toEqual(['https:', 'cdn.example', '']);
        // As a server reads it that decodes before it resolves, even twice.
        const path = new URL(
          `https://x${decodeURIComponent(decodeURIComponent(pathname).replace(/%(?![0-9a-f]{2})/gi, '%25')).replaceAll('\\', '/')}`,
        ).pathname;
        expect(path).toMatch(/^\/open\//);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(1000);
  });

  it('in a bucket whose name begins like one on the list is none of it', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/);
    fc.assert(
      fc.property(name, name, (bucket, more) => {
        expect(isAllowedUri(`gs://${bucket}${more}/a`, [`gs://${bucket}`])).toBe(false);
        expect(isAllowedUri(`gs://${bucket}/a${more}`, [`gs://${bucket}`])).toBe(true);
      }),
    );
  });
});

describe('in a part', () => {
  const refusedAt = (part: Part) => {
    try {
      checkFileUris([{ text: 'a' }, part], ALLOWED, '/parts');
    } catch (error) {
      expect(error).toBeInstanceOf(ChatError);
      return (error as ChatError).details.fields?.[0]?.path;
    }
    return undefined;
  };
  const good = { fileUri: 'gs://ours/a' };
  const bad = { fileUri: 'gs://evil/a' };

  it.each<[string, Part, string | undefined]>([
    ['a file', { fileData: good }, undefined],
    ['a file elsewhere', { fileData: bad }, '/parts/1/fileData'],
    ['the other spelling', { file_data: bad }, '/parts/1/file_data'],
    ['the other spelling of the address', { fileData: { file_uri: 'gs://evil/a' } }, '/parts/1/fileData'],
    ['both spellings', { fileData: { ...good, file_uri: 'gs://evil/a' } }, '/parts/1/fileData'],
    ['two files', { fileData: good, file_data: bad }, '/parts/1/file_data'],
    ['a file without an address', { fileData: { mimeType: 'a/b' } }, '/parts/1/fileData'],
    ['no file', { fileData: null }, '/parts/1/fileData'],
    ['a list of files', { fileData: [bad] }, '/parts/1/fileData'],
    ['an address that is no text', { fileData: { fileUri: ['gs://ours/a'] } }, '/parts/1/fileData'],
    [
      'a file of a response',
      { functionResponse: { name: 'f', parts: [{ fileData: good }, { fileData: bad }] } },
      '/parts/1/functionResponse/parts/1/fileData',
    ],
    [
      'an answer that names a file',
      { functionResponse: { name: 'f', response: { fileData: bad } } },
      '/parts/1/functionResponse/response/fileData',
    ],
    [
      'an answer with a word of its own',
      { functionResponse: { name: 'f', response: { fileData: 'YWJj', file_uri: 's3://x/y' } } },
      undefined,
    ],
    ['a field nobody has heard of', { news: { 'a/b~c': { fileData: bad } } }, '/parts/1/news/a~1b~0c/fileData'],
    ['text about a file', { text: 'fileData: gs://evil/a' }, undefined],
  ])('%s', (_what, part, path) => {
    expect(refusedAt(part)).toBe(path);
  });
});
