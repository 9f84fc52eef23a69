// The groundingMetadata of an answer that says it searched. Sources and queries are invented; the byte offsets are right.
import type { JsonObject } from '../json.ts';
import { sentencesOf } from '../pieces.ts';
import type { GeminiQuestion } from './gemini-question.ts';

const SUPPORTS_MAX = 3;

/** Undefined when no tool of the request searches. */
export function groundingOf(question: GeminiQuestion, text: string): JsonObject | undefined {
  const tools = question.request.tools ?? [];
  const groundingSupports = supports(text);
  if (tools.some((tool) => tool.googleSearch !== undefined)) {
    return {
      webSearchQueries: [question.quote],
      searchEntryPoint: {
        renderedContent: `<div class="container"><a class="chip">${escapeHtml(question.quote)}</a></div>`,
      },
      groundingChunks: [
        { web: { uri: 'https://example.com/emulated/first', title: 'example.com' } },
        { web: { uri: 'https://example.org/emulated/second?ä=1', title: 'example.org – Überblick' } },
      ],
      groundingSupports,
      retrievalMetadata: {},
    };
  }
  if (tools.some((tool) => tool.retrieval !== undefined)) {
    return {
      retrievalQueries: [question.quote],
      groundingChunks: [
        { retrievedContext: { uri: 'gs://emulated/first.pdf', title: 'first', text: 'The first emulated document.' } },
        {
          retrievedContext: { uri: 'gs://emulated/second.pdf', title: 'second', text: 'The second emulated document.' },
        },
      ],
      groundingSupports,
    };
  }
  return undefined;
}

function supports(text: string): readonly JsonObject[] {
  return sentencesOf(text)
    .slice(0, SUPPORTS_MAX)
    .map((sentence, index) => {
      const startIndex = Buffer.byteLength(text.slice(0, sentence.startIndex));
      return {
        // Proto JSON leaves out a zero.
        segment: {
          ...(startIndex > 0 && { startIndex }),
          endIndex: startIndex + Buffer.byteLength(sentence.text),
          text: sentence.text,
        },
        groundingChunkIndices: [index % 2],
        confidenceScores: [0.75],
      };
    });
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
