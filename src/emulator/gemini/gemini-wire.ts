// The wire of Gemini: `generateContent`, `streamGenerateContent` and `countTokens` of Vertex AI and of the Developer API.
import type { Wire } from '../wire.ts';
import { candidateAnswers } from './answer.ts';
import { chunksOf, documentOf, type GeminiAnswer, withoutFinish } from './chunks.ts';
import { questionOf } from './gemini-question.ts';
import type { Chunk } from './generate-content.ts';
import { readRequest } from './read-request.ts';
import { countTokensAnswer, promptTokens } from './usage.ts';

export const geminiWire: Wire = {
  read(body, route) {
    const { api, model } = route;
    const request = readRequest(body, route);
    const question = questionOf(request, model);
    return {
      text: question.text,
      countTokens: () => countTokensAnswer(request, api),
      answer(behaviour) {
        const isBlocked = behaviour.emptiness === 'block-prompt';
        const candidates = isBlocked ? undefined : candidateAnswers(question, behaviour);
        const answer: GeminiAnswer = { api, question, prompt: promptTokens(request), candidates };
        const { breaks } = behaviour;
        return {
          chunks: () => (breaks ? withoutFinishes(chunksOf(answer)) : chunksOf(answer)),
          document: () => (breaks === 'eof' ? withoutFinish(documentOf(answer)) : documentOf(answer)),
          broken: '{"candidates": [{"content": {"role": "model","parts": [{"text": "Moun',
        };
      },
    };
  },
};

function* withoutFinishes(chunks: Iterable<Chunk>): Generator<Chunk> {
  for (const chunk of chunks) yield withoutFinish(chunk);
}
