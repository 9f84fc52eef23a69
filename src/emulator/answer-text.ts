// The words of an answer. They say what was asked and how much history came with it, so that a person sees that a session
// works; the same request always gets the same words, and each of up to eight candidates gets others.
import { numberFrom } from './digest.ts';
import type { Question } from './question.ts';

const OPENINGS: readonly ((quote: string) => string)[] = [
  (quote) => `You asked: “${quote}”.`,
  (quote) => `“${quote}” — a good question.`,
  (quote) => `Let me take “${quote}” step by step.`,
  (quote) => `Here is what I can say about “${quote}”.`,
  (quote) => `Thank you for “${quote}” 🙂.`,
  (quote) => `On “${quote}”: let us begin with the obvious.`,
  (quote) => `So the question is “${quote}”…`,
  (quote) => `In short, “${quote}” has more than one answer.`,
];

const REMARKS: readonly string[] = [
  'This text comes from the emulator and not from a model, so please do not act on it.',
  'A real model would think about it here — the emulator only counts words and picks sentences.',
  'The words were chosen by a checksum of the request, which is why you get the same ones every time.',
  'Nothing was looked up and nothing was reasoned about; what you see is how an answer travels to you.',
];

const CLOSINGS: readonly string[] = [
  'Ask again and the history will be one question longer.',
  'Feel free to go on — the conversation is kept on the server. 🚀',
  'Was that what you had in mind?',
  'Naïve as it may be, that is the whole answer.',
];

export function prose(question: Question, candidate: number, opening = openingOf(question, candidate)): string {
  const { digest, remarks } = question;
  return [
    opening,
    `Before it I saw ${earlierMessages(question)} in this conversation.`,
    ...remarks,
    pick(REMARKS, numberFrom(digest, 1) + candidate),
    pick(CLOSINGS, numberFrom(digest, 2) + candidate),
  ].join(' ');
}

export function openingOf({ digest, quote }: Question, candidate: number): string {
  return pick(OPENINGS, numberFrom(digest, 0) + candidate)(quote);
}

export function earlierMessages({ earlierMessages: count }: Question): string {
  return counted(count, 'earlier message');
}

export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

function pick<T>(list: readonly T[], number: number): T {
  const item = list[number % list.length];
  if (item === undefined) throw new Error('pick needs a list with something in it');
  return item;
}
