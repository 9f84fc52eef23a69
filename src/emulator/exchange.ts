// One request and its answer, from the path to the last byte.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { candidateAnswers } from './answer.ts';
import { type Answer, chunksOf, documentOf } from './chunks.ts';
import { type Delivery, deliverDocument, deliverError, deliverJson, deliverPage, deliverStream } from './deliver.ts';
import { behaviourOf } from './faults.ts';
import { GoogleError, requestedError } from './google-error.ts';
import { type Question, questionOf } from './question.ts';
import { readJson } from './read-body.ts';
import { readRequest } from './read-request.ts';
import { type Route, routeOf } from './route.ts';
import { countTokensAnswer, promptTokens } from './usage.ts';
import { pause, silence } from './wait.ts';

export type ExchangeOptions = {
  readonly chunkDelayMs: number;
  /** Whether this text is met for the first time. The only thing the emulator remembers. */
  readonly isFirst: (text: string) => boolean;
};

export async function answerExchange(
  request: IncomingMessage,
  response: ServerResponse,
  options: ExchangeOptions,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const connection: Delivery = { response, signal: gone.signal, behaviour: {} };
  if (request.method === 'GET' && request.url === '/livez') return deliverJson({ status: 'ok' }, connection);

  const route = routeOf(request.method, request.url);
  try {
    if (!route) throw new GoogleError(404, `There is no ${request.method} ${request.url}.`);
    await answerMethod(request, route, connection, options);
  } catch (error) {
    if (response.headersSent || gone.signal.aborted) {
      response.destroy();
      return;
    }
    const known = error instanceof GoogleError ? error : new GoogleError(500, `The emulator failed: ${String(error)}`);
    await deliverError(known, connection, route?.method === 'streamGenerateContent' && !route.isSse);
  }
}

async function answerMethod(
  request: IncomingMessage,
  route: Route,
  connection: Delivery,
  options: ExchangeOptions,
): Promise<void> {
  const question = questionOf(readRequest(await readJson(request), route), route.model);
  const behaviour = behaviourOf(route.model, question.text);
  const delivery: Delivery = { ...connection, behaviour };

  await pause(behaviour.headersDelayMs ?? 0, delivery.signal);
  if (behaviour.isSilent) return silence(delivery.signal);
  const { refusal, refusesOnce } = behaviour;
  if (refusal && (refusesOnce === undefined || options.isFirst(refusesOnce))) {
    if (refusal.as === 'html') return deliverPage(refusal.status, delivery);
    throw requestedError(refusal.status);
  }
  if (route.method === 'countTokens') return deliverJson(countTokensAnswer(question.request, route.api), delivery);

  const answer = answerTo(question, route, delivery);
  if (route.method === 'streamGenerateContent') {
    return deliverStream(chunksOf(answer), route.isSse, behaviour.chunkDelayMs ?? options.chunkDelayMs, delivery);
  }
  await pause(behaviour.chunkDelayMs ?? 0, delivery.signal);
  return deliverDocument(documentOf(answer), delivery);
}

function answerTo(question: Question, { api }: Route, { behaviour }: Delivery): Answer {
  const isBlocked = behaviour.emptiness === 'block-prompt';
  const candidates = isBlocked ? undefined : candidateAnswers(question, behaviour);
  return { api, question, prompt: promptTokens(question.request), candidates };
}
