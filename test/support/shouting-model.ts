// A model that says the question again, in capitals, and for which every character is a token: what it was sent, and what that
// cost, is seen at once. Two replicas in front of it.

import type { Content } from '../../src/emulator/gemini/generate-content.ts';
import { validateHistory } from '../../src/emulator/gemini/validate-history.ts';
import { type Replicas, startReplicas } from './replicas.ts';
import { asJson, asStream, event, type Script, said, type UpstreamCall } from './upstream.ts';

const MODEL = 'gemini-2.5-pro';

interface Body {
  readonly contents: readonly Content[];
  readonly systemInstruction?: Content;
}

const bodyOf = ({ body }: UpstreamCall): Body => JSON.parse(body);
const textsIn = (contents: readonly Content[]) =>
  contents.flatMap(({ parts = [] }) => parts.map(({ text }) => text ?? ''));
const isCount = ({ url }: UpstreamCall) => url.endsWith(':countTokens');
const tokensIn = (texts: readonly string[]) => texts.join('').length;

/** `hold` is answered by half a sentence, `call` by a function call. */
const shouts: Script = (response, call) => {
  const { contents, systemInstruction } = bodyOf(call);
  const promptTokenCount = tokensIn(textsIn(systemInstruction ? [systemInstruction, ...contents] : contents));
  if (isCount(call)) return asJson(response, 200, { totalTokens: promptTokenCount });
  const question = contents.at(-1)?.parts?.[0]?.text ?? 'answered';
  if (question === 'hold') return asStream(response).write(event(said('half ')));
  const answer = question.toUpperCase();
  const parts = question === 'call' ? [{ functionCall: { name: 'f', args: {} } }] : [{ text: answer }];
  const totalTokenCount = promptTokenCount + answer.length;
  const value = {
    candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount, candidatesTokenCount: answer.length, totalTokenCount },
  };
  if (call.isStream) return asStream(response).end(event(value));
  return asJson(response, 200, value);
};

export interface ShoutingReplicas extends Replicas {
  /** What each answer was asked for with. */
  readonly asked: readonly Body[];
  /** The texts of the newest request. */
  readonly askedTexts: readonly string[];
  /** Fails when it was asked for anything that a model does not take. */
  check(): void;
}

export async function startShouting(): Promise<ShoutingReplicas> {
  const replicas = await startReplicas(shouts, { env: { DEFAULT_MODEL: MODEL } });
  const asked = () => replicas.upstream.calls.filter((call) => !isCount(call)).map(bodyOf);
  return {
    ...replicas,
    get asked() {
      return asked();
    },
    get askedTexts() {
      return textsIn(asked().at(-1)?.contents ?? []);
    },
    check() {
      for (const { contents } of asked()) validateHistory(contents, MODEL);
    },
  };
}
