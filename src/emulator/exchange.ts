// One request and its answer, from the path to the last byte.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Delivery, deliverDocument, deliverError, deliverJson, deliverPage, deliverStream } from './deliver.ts';
import { behaviourOf } from './faults.ts';
import { geminiWire } from './gemini/gemini-wire.ts';
import { GoogleError, requestedError } from './google-error.ts';
import { predictWire } from './predict/predict-wire.ts';
import { readJson } from './read-body.ts';
import { type Route, routeOf, type WireName, wireOf } from './route.ts';
import { pause, silence } from './wait.ts';
import type { Wire } from './wire.ts';

export type ExchangeOptions = {
  readonly chunkDelayMs: number;
  /** Whether this text is met for the first time. The only thing the emulator remembers. */
  readonly isFirst: (text: string) => boolean;
};

const WIRES: Readonly<Record<WireName, Wire>> = { gemini: geminiWire, predict: predictWire };

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
    await deliverError(known, connection, route?.answersWith === 'stream' && !route.isSse);
  }
}

async function answerMethod(
  request: IncomingMessage,
  route: Route,
  connection: Delivery,
  options: ExchangeOptions,
): Promise<void> {
  const body = await readJson(request);
  const wire = wireOf(route, body);
  const asked = WIRES[wire].read(body, route);
  const behaviour = behaviourOf(route.model, asked.text, wire);
  const delivery: Delivery = { ...connection, behaviour };

  await pause(behaviour.headersDelayMs ?? 0, delivery.signal);
  if (behaviour.isSilent) return silence(delivery.signal);
  const { refusal, refusesOnce } = behaviour;
  if (refusal && (refusesOnce === undefined || options.isFirst(refusesOnce))) {
    if (refusal.as === 'html') return deliverPage(refusal.status, delivery);
    throw requestedError(refusal.status);
  }
  switch (route.answersWith) {
    case 'token count':
      return deliverJson(asked.countTokens(), delivery);
    case 'stream': {
      const chunkDelayMs = behaviour.chunkDelayMs ?? options.chunkDelayMs;
      return deliverStream(asked.answer(behaviour), route.isSse, chunkDelayMs, delivery);
    }
    case 'document': {
      const answer = asked.answer(behaviour);
      await pause(behaviour.chunkDelayMs ?? 0, delivery.signal);
      return deliverDocument(answer, delivery);
    }
    default:
      return route.answersWith satisfies never;
  }
}
