// A conversation is continued in two ways from the same answer: a fork has the messages up to there, and a life of its own.

import { call, history, print } from './service.js';

const session = await call('POST', '/v1/sessions', { displayName: 'Dinner', context: 'You plan meals.' });
const path = `/v1/sessions/${session.id}`;
const asked = await call('POST', `${path}/messages`, { message: 'I have potatoes and leek.' });
await call('POST', `${path}/messages`, { message: 'A soup then.' });

// The answer that both have in common.
const [, atMessageId] = asked.messages;
const branch = await call('POST', `${path}/fork`, { atMessageId, displayName: 'Dinner, without soup' });
const branchPath = `/v1/sessions/${branch.id}`;
await call('POST', `${branchPath}/messages`, { message: 'Anything but soup.' });

await print(`${session.displayName}:`, path);
await print(`${branch.displayName}:`, branchPath);

// Ids of messages are kept, so that a screen can show where the two part.
const ids = new Set((await history(path)).map(({ id }) => id));
const common = (await history(branchPath)).filter(({ id }) => ids.has(id));
console.log(`\nThey have ${common.length} messages in common.`);
await call('DELETE', path);
await call('DELETE', branchPath);
