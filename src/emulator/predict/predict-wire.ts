// The legacy wire, which chat-bison spoke and tuned models of its family still may: `predict`, `serverStreamingPredict` and
// the old form of `countTokens`, on Vertex AI alone.
import type { Wire } from '../wire.ts';
import { candidateAnswers } from './answer.ts';
import { deployedModel } from './deployed-model.ts';
import { questionOf } from './predict-question.ts';
import { chunksOf, documentOf, type PredictAnswer } from './prediction.ts';
import { readRequest } from './read-request.ts';
import { promptTexts, tokenCount } from './token-count.ts';

export const predictWire: Wire = {
  read(body, route) {
    const request = readRequest(body, route);
    const question = questionOf(request, route.model);
    return {
      text: question.text,
      countTokens: () => tokenCount(promptTexts(request)),
      answer(behaviour) {
        const answer: PredictAnswer = { question, candidates: candidateAnswers(question, behaviour) };
        return {
          chunks: () => chunksOf(answer),
          document: () => ({ ...documentOf(answer), ...deployedModel(route) }),
          broken:
            '{"outputs": [{"structVal": {"candidates": {"listVal": [{"structVal": {"content": {"stringVal": ["Moun',
        };
      },
    };
  },
};
