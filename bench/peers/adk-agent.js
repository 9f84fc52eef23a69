// What the agent development kit serves: an agent without tools, as its quick start begins. JavaScript, because its package
// is there only on demand.

import { LlmAgent } from '@google/adk';

export const rootAgent = new LlmAgent({
  name: 'bench',
  model: 'gemini-2.5-flash',
  description: 'Answers.',
  instruction: 'Answer the question.',
});
