// What a request asks, read once, on whichever wire it came: all that the words of an answer are made of.
import { withoutMarkers } from './faults.ts';

export type Question = {
  readonly model: string;
  /** The last user text, markers included. */
  readonly text: string;
  /** The same, fit to be quoted in an answer. */
  readonly quote: string;
  readonly earlierMessages: number;
  /** Sentences about what came with the question beside the history. */
  readonly remarks: readonly string[];
  readonly digest: string;
};

const QUOTE_CHARACTERS_MAX = 120;
const BEGINNING_CHARACTERS = 60;

/** The text without markers, in one line and not too long; empty when nothing is left of it. */
export function quoteOf(text: string): string {
  const words = withoutMarkers(text).replace(/\s+/g, ' ');
  const characters = Array.from(words.slice(0, 2 * QUOTE_CHARACTERS_MAX));
  const isShort = characters.length <= QUOTE_CHARACTERS_MAX && characters.join('') === words;
  return isShort ? words : `${characters.slice(0, QUOTE_CHARACTERS_MAX).join('')}…`;
}

export function remarkOnInstructions(instructions: string): string {
  return `My instructions begin with “${beginningOf(instructions)}”.`;
}

export function beginningOf(text: string): string {
  return Array.from(text).slice(0, BEGINNING_CHARACTERS).join('');
}
