// The safetyAttributes of a candidate: names and scores in two lists, and severities for the four harms.
import { numberFrom } from '../digest.ts';
import type { JsonObject } from '../json.ts';
import type { Question } from '../question.ts';

const TOPICS = ['Finance', 'Health', 'Insult', 'Legal', 'Politics', 'Public Safety', 'Religion & Belief', 'Sexual'];
const TOPICS_PER_ANSWER = 3;
const HARMS = ['Dangerous Content', 'Harassment', 'Hate Speech', 'Sexually Explicit'];
const BLOCKED_TOPIC = 'Derogatory';
const BLOCKED_HARM = 'Harassment';
const BLOCKED_ERROR = 100;

/** Of a candidate that has not ended. */
export const NOT_RATED_YET: JsonObject = { blocked: false, categories: [], scores: [] };

export function safetyAttributes({ digest }: Question, isBlocked: boolean): JsonObject {
  const first = numberFrom(digest, 5);
  const topics = Array.from({ length: TOPICS_PER_ANSWER }, (_, place) => TOPICS[(first + place) % TOPICS.length]);
  const scores = topics.map((_, place) => (1 + (numberFrom(digest, 6 + place) % 3)) / 10);
  return {
    blocked: isBlocked,
    categories: isBlocked ? [BLOCKED_TOPIC, ...topics] : topics,
    scores: isBlocked ? [0.9, ...scores] : scores,
    safetyRatings: HARMS.map((category) => {
      const blocks = isBlocked && category === BLOCKED_HARM;
      return {
        category,
        severity: blocks ? 'HIGH' : 'NEGLIGIBLE',
        severityScore: blocks ? 0.8 : 0,
        probabilityScore: blocks ? 0.9 : 0.1,
      };
    }),
    ...(isBlocked && { errors: [BLOCKED_ERROR] }),
  };
}
