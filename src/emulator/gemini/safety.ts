// Safety ratings: on Vertex with scores and severities, on the Developer API only the words.
import { numberFrom } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import type { Question } from '../question.ts';
import type { Api } from '../route.ts';

const CATEGORIES = [
  'HARM_CATEGORY_HATE_SPEECH',
  'HARM_CATEGORY_DANGEROUS_CONTENT',
  'HARM_CATEGORY_HARASSMENT',
  'HARM_CATEGORY_SEXUALLY_EXPLICIT',
];
const BLOCKED_CATEGORY = 'HARM_CATEGORY_HARASSMENT';

export function safetyRatings(api: Api, question: Question, isBlocked: boolean): readonly JsonObject[] {
  return CATEGORIES.map((category, place) => {
    const blocks = isBlocked && category === BLOCKED_CATEGORY;
    const share = numberFrom(question.digest, 5 + place) / 0x20000;
    return {
      category,
      probability: blocks ? 'HIGH' : 'NEGLIGIBLE',
      ...(blocks && { blocked: true }),
      ...(api === 'vertex' && {
        probabilityScore: blocks ? 0.9 : rounded(share),
        severity: blocks ? 'HARM_SEVERITY_HIGH' : 'HARM_SEVERITY_NEGLIGIBLE',
        severityScore: blocks ? 0.8 : rounded(share / 2),
      }),
    };
  });
}

export function promptFeedback(api: Api, question: Question): JsonObject {
  return {
    blockReason: 'SAFETY',
    ...(api === 'vertex' && { blockReasonMessage: 'The prompt was blocked because the emulator was asked to.' }),
    safetyRatings: safetyRatings(api, question, true),
  };
}

function rounded(score: number): number {
  return Number(score.toFixed(8));
}
