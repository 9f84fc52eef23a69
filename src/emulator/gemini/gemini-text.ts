// The words of a Gemini answer, which may also be JSON, thoughts, or thanks for a function's answer.
import { earlierMessages, openingOf, prose } from '../answer-text.ts';
import { exampleOf } from './example.ts';
import { type GeminiQuestion, responsesTo } from './gemini-question.ts';

export function answerText(question: GeminiQuestion, candidate: number): string {
  const opening = openingFor(question, candidate);
  const { responseMimeType, responseSchema, responseJsonSchema } = question.request.generationConfig ?? {};
  if (responseMimeType !== 'application/json') return prose(question, candidate, opening);
  const schema = responseJsonSchema ?? responseSchema;
  const value =
    schema === undefined
      ? { answer: opening, question: question.quote, earlierMessages: question.earlierMessages }
      : exampleOf(schema, opening);
  return JSON.stringify(value, null, 2);
}

export function thoughtTexts(question: GeminiQuestion): readonly string[] {
  return [
    `**Reading the question**\n\nThe user wants to know about “${question.quote}”. I look at the ${earlierMessages(question)} first.\n\n\n`,
    '**Choosing the words**\n\nThere is nothing to reason about — a checksum decides. I write the answer now.\n\n\n',
  ];
}

function openingFor(question: GeminiQuestion, candidate: number): string {
  const [response] = responsesTo(question);
  if (!response?.functionResponse) return openingOf(question, candidate);
  const { name, response: result } = response.functionResponse;
  return `${candidate > 0 ? `Answer ${candidate + 1}: the` : 'The'} function ${name} answered ${JSON.stringify(result ?? {}).slice(0, 200)} — thank you.`;
}
