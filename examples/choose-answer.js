// "2 of 4 answers": the model is asked for four, the screen leafs through them, and the one that is picked becomes the answer
// in the history, which the next question is about.

import { call, print } from './service.js';

const session = await call('POST', '/v1/sessions', { displayName: 'choose' });
const path = `/v1/sessions/${session.id}`;
const turn = await call('POST', `${path}/messages`, { message: 'A slogan for rye bread?', candidateCount: 4 });

turn.candidates.forEach(({ index, text }, n) => {
  const mark = index === turn.chosenCandidate ? '*' : ' ';
  console.log(`${mark} ${n + 1} of ${turn.candidates.length}: ${text.slice(0, 80)}`);
});

const { index } = turn.candidates[1];
const chosen = await call('POST', `${path}/turns/${turn.turnId}/choose`, { candidate: index });
console.log(`\nChosen: ${chosen.chosenCandidate}`);
await print('The history:', path);

// As long as nothing follows, one can change one's mind; afterwards it is a 409.
await call('POST', `${path}/messages`, { message: 'Make it shorter.' });
const tooLate = await call('POST', `${path}/turns/${turn.turnId}/choose`, { candidate: turn.chosenCandidate }).catch(
  ({ problem }) => problem.code,
);
console.log(`\nTo choose again now: ${tooLate}`);
await call('DELETE', path);
