// "Try again", twice: for an answer that one does not like, and for a question that failed. Until the new answer is complete
// the old one stands, and it stays when the new one fails.

import { randomUUID } from 'node:crypto';
import { call, print } from './service.js';

const session = await call('POST', '/v1/sessions', { displayName: 'retry', temperature: 0.2 });
const path = `/v1/sessions/${session.id}`;

const first = await call('POST', `${path}/messages`, { message: 'A name for a lighthouse, please.' });
await print('The first answer:', path);

// With a key, the retry can itself be sent again when its answer is lost: it still happens once.
const key = { 'idempotency-key': randomUUID() };
const second = await call('POST', `${path}/turns/${first.turnId}/regenerate`, { temperature: 1 }, key);
await print('Another one, in its place:', path);
console.log(`\n${second.turnId} regenerates ${second.regenerates}: ${second.state}`);

// A question that fails is in no history, but its turn is there, and can be sent again as it was. (The emulator fails the
// first time on request.)
const problem = await call('POST', `${path}/messages`, {
  message: `And a motto? [[once-status:400:${randomUUID()}]]`,
}).then(
  () => undefined,
  (error) => error.problem,
);
console.log(`\nThe next question: ${problem?.code ?? 'was answered at once'}`);
if (problem) await call('POST', `${path}/turns/${problem.turnId}/regenerate`);
await print('After the retry:', path);
await call('DELETE', path);
