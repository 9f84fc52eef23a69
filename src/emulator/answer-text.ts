// The words of an answer. They say what was asked and how much history came with it, so that a person sees that a session
// works; the same request always gets the same words, and each of up to eight candidates gets others.
import { exampleOf } from './example.ts';
import { numberFrom, type Question, responsesTo } from './question.ts';

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

export function answerText(question: Question, candidate: number): string {
  const { generationConfig } = question.request;
  return generationConfig?.responseMimeType === 'application/json'
    ? jsonText(question, candidate)
    : prose(question, candidate);
}

export function thoughtTexts(question: Question): readonly string[] {
  return [
    `**Reading the question**\n\nThe user wants to know about “${question.quote}”. I look at the ${messages(question)} first.\n\n\n`,
    '**Choosing the words**\n\nThere is nothing to reason about — a checksum decides. I write the answer now.\n\n\n',
  ];
}

function prose(question: Question, candidate: number): string {
  const { digest, request } = question;
  const instruction = request.systemInstruction?.parts?.map((part) => part.text ?? '').join(' ');
  return [
    opening(question, candidate),
    `Before it I saw ${messages(question)} in this conversation.`,
    ...(instruction ? [`My instructions begin with “${Array.from(instruction).slice(0, 60).join('')}”.`] : []),
    pick(REMARKS, numberFrom(digest, 1) + candidate),
    pick(CLOSINGS, numberFrom(digest, 2) + candidate),
  ].join(' ');
}

function jsonText(question: Question, candidate: number): string {
  const { responseSchema, responseJsonSchema } = question.request.generationConfig ?? {};
  const schema = responseJsonSchema ?? responseSchema;
  const answer = opening(question, candidate);
  const value =
    schema === undefined
      ? { answer, question: question.quote, earlierMessages: question.earlierMessages }
      : exampleOf(schema, answer);
  return JSON.stringify(value, null, 2);
}

function opening(question: Question, candidate: number): string {
  const [response] = responsesTo(question);
  if (response?.functionResponse) {
    const { name, response: result } = response.functionResponse;
    return `${candidate > 0 ? `Answer ${candidate + 1}: the` : 'The'} function ${name} answered ${JSON.stringify(result ?? {}).slice(0, 200)} — thank you.`;
  }
  return pick(OPENINGS, numberFrom(question.digest, 0) + candidate)(question.quote);
}

function messages({ earlierMessages }: Question): string {
  return `${earlierMessages} earlier ${earlierMessages === 1 ? 'message' : 'messages'}`;
}

function pick<T>(list: readonly [T, ...T[]] | readonly T[], number: number): T {
  const item = list[number % list.length];
  if (item === undefined) throw new Error('pick needs a list with something in it');
  return item;
}
