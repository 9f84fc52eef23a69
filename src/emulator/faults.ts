// The one place that maps names to behaviour. A name is asked for by the model (`fault-<name>[-<argument>]`) or by a marker in
// the last user text (`[[<name>]]` or `[[<name>:<argument>]]`); several markers add up. Most work on both wires.
import type { Behaviour, Break } from './behaviour.ts';
import { GoogleError, invalidArgument } from './google-error.ts';
import type { WireName } from './route.ts';

type Fault = {
  readonly means: string;
  /** Undefined when the argument is missing or out of range. */
  readonly ask: (argument: string | undefined, asWritten: string) => Behaviour | undefined;
};

const DELAY_MS_MAX = 600_000;
const TEXT_BYTES_MAX = 64 * 1024 * 1024;
const CHUNKS_MAX = 100_000;
const CHUNKS_BEFORE_BREAK = 2;

type Faults = Readonly<Record<string, Fault>>;

const ON_BOTH_WIRES: Faults = {
  status: number(400, 599, 'an error with that HTTP status; 429 says when to retry', (status) => ({
    refusal: { status, as: 'json' },
  })),
  'once-status': once('status[:label]: the first request with exactly this text fails so, the next ones succeed'),
  html: number(400, 599, 'an HTML page with that status, as from a proxy', (status) => ({
    refusal: { status, as: 'html' },
  })),
  delay: number(0, DELAY_MS_MAX, 'ms before the headers', (headersDelayMs) => ({ headersDelayMs })),
  slow: number(0, DELAY_MS_MAX, 'ms between chunks; unary: before the answer', (chunkDelayMs) => ({ chunkDelayMs })),
  silence: plain('the request is accepted and never answered', { isSilent: true }),

  stall: breaks('stall', 'headers and some chunks, then silence'),
  cut: breaks('cut', 'some chunks, then the socket is destroyed'),
  eof: breaks(
    'eof',
    'some chunks, then a clean end without a finishReason; legacy: the same, and so a short whole answer',
  ),
  garbage: breaks('garbage', 'some chunks, then an event that is no JSON'),
  'error-bare': breaks('error-bare', 'some chunks, then a 503 as pretty JSON without `data:`; unary: HTTP 503'),
  'error-data': breaks('error-data', 'some chunks, then `data: {"error":…}`; unary: HTTP 503'),
  'error-array': breaks('error-array', 'some chunks, then `[{"error":…}]`; unary: HTTP 503 with such a body'),

  'block-prompt': plain(
    'promptFeedback.blockReason SAFETY and no candidates; legacy: nothing but empty candidates that are `blocked`',
    { emptiness: 'block-prompt' },
  ),
  'block-answer': plain(
    'text, then finishReason SAFETY without content; legacy: then empty and `blocked`; unary: no content',
    { emptiness: 'block-answer' },
  ),
  recitation: plain(
    'text, then RECITATION with citations and without content; legacy: then `blocked`, with citations',
    {
      emptiness: 'recitation',
    },
  ),
  empty: plain('an empty text and nothing else, as if all were well', { emptiness: 'empty' }),

  citations: plain('a whole answer with citationMetadata', { hasCitations: true }),
  big: number(1, TEXT_BYTES_MAX, 'an answer of that many bytes of text in chunks of 16 KiB', (textBytes) => ({
    textBytes,
  })),
  chunks: number(1, CHUNKS_MAX, 'the answer in that many chunks', (chunkCount) => ({ chunkCount })),
  candidates: number(
    1,
    8,
    'that many candidates, taking turns; legacy: side by side in every chunk',
    (candidateCount) => ({ candidateCount }),
  ),

  lf: plain('LF instead of CRLF', { lineEnd: '\n' }),
  unterminated: plain('the last event without its blank line', { isUnterminated: true }),
  slices: number(1, 65_536, 'the body is written that many bytes at a time', (sliceBytes) => ({ sliceBytes })),
};

/** About what only Gemini has: finish reasons, calls, thoughts, media. */
const ON_GEMINI: Faults = {
  'no-parts': plain('text, then STOP with a content that has no parts; unary: no parts at all', {
    emptiness: 'no-parts',
  }),
  finish: word('a whole answer with that finishReason', (finishReason) => ({ finishReason })),
  continuation: plain('half an answer and a continuationToken; the request repeated with it gets the rest', {
    isContinued: true,
  }),
  call: word('a call of the function so named', (callName) => ({ callName })),
  calls: number(1, 100, 'that many parallel calls', (callCount) => ({ callCount })),
  thoughts: plain('thought parts first, the last text part signed', { hasThoughts: true }),
  signature: plain('the signature comes last, in an empty text part', { signsEmptyPart: true }),
  image: plain('a text and an inlineData part', { hasImage: true }),
};

export const FAULTS: Readonly<Record<WireName, Faults>> = {
  gemini: { ...ON_BOTH_WIRES, ...ON_GEMINI },
  predict: ON_BOTH_WIRES,
};

const MARKER = /\[\[([a-z-]+)(?::([^\]]*))?\]\]/g;
const MODEL_PREFIX = 'fault-';

/**
 * What model and text together ask for. Fails with 404 on an unknown fault model, with 400 on a wrong argument and on a
 * fault that the wire has no place for. Unknown markers are text.
 */
export function behaviourOf(model: string, lastUserText: string, wire: WireName): Behaviour {
  const markers = [...lastUserText.matchAll(MARKER)].map(([text, name = '', argument]) => {
    return isFault(name) ? ask(name, argument, text, wire) : {};
  });
  return Object.assign({}, behaviourOfModel(model, wire), ...markers);
}

export function withoutMarkers(text: string): string {
  return text.replace(MARKER, (marker, name: string) => (isFault(name) ? '' : marker)).trim();
}

function behaviourOfModel(model: string, wire: WireName): Behaviour {
  if (!model.startsWith(MODEL_PREFIX)) return {};
  const asked = model.slice(MODEL_PREFIX.length);
  // Names contain dashes themselves: the longest one that fits is meant.
  const [name] = Object.keys(FAULTS.gemini)
    .filter((known) => asked === known || asked.startsWith(`${known}-`))
    .sort((a, b) => b.length - a.length);
  if (name === undefined) {
    throw new GoogleError(
      404,
      `Publisher Model \`${model}\` was not found. The faults are: ${Object.keys(FAULTS[wire]).join(', ')}.`,
    );
  }
  return ask(name, asked.slice(name.length + 1) || undefined, model, wire);
}

function ask(name: string, argument: string | undefined, asWritten: string, wire: WireName): Behaviour {
  const fault = FAULTS[wire][name];
  if (!fault)
    throw invalidArgument(`The emulator does not understand ${asWritten} here: only Gemini has such a thing.`);
  const behaviour = fault.ask(argument, asWritten);
  if (!behaviour) throw invalidArgument(`The emulator does not understand ${asWritten}: ${fault.means}.`);
  return behaviour;
}

function isFault(name: string): boolean {
  return Object.hasOwn(FAULTS.gemini, name);
}

function plain(means: string, behaviour: Behaviour): Fault {
  return { means, ask: (argument) => (argument === undefined ? behaviour : undefined) };
}

function word(means: string, behaviour: (argument: string) => Behaviour): Fault {
  return {
    means,
    ask: (argument) => (argument && /^[\w.:-]{1,128}$/.test(argument) ? behaviour(argument) : undefined),
  };
}

function number(from: number, to: number, means: string, behaviour: (argument: number) => Behaviour): Fault {
  return {
    means: `${means} (${from} to ${to})`,
    ask: (argument) => {
      const value = /^\d{1,9}$/.test(argument ?? '') ? Number(argument) : Number.NaN;
      return value >= from && value <= to ? behaviour(value) : undefined;
    },
  };
}

/** The argument, when there is one, is how many chunks come before the break. */
function breaks(kind: Break, means: string): Fault {
  const counted = number(0, CHUNKS_MAX, means, (breaksAfterChunks) => ({ breaks: kind, breaksAfterChunks }));
  return { means, ask: (argument = String(CHUNKS_BEFORE_BREAK), text) => counted.ask(argument, text) };
}

function once(means: string): Fault {
  return {
    means,
    ask: (argument, asWritten) => {
      const status = Number(/^([45]\d\d)([:-]|$)/.exec(argument ?? '')?.[1]);
      return status ? { refusal: { status, as: 'json' }, refusesOnce: asWritten } : undefined;
    },
  };
}
