// A person edits an earlier question and sends it again: the history is taken back to before that question, and goes on with
// the new one. What was said after it is out of the conversation, but its turns stay readable.

import { call, history, print } from './service.js';

const session = await call('POST', '/v1/sessions', { displayName: 'edit and resend' });
const path = `/v1/sessions/${session.id}`;
await call('POST', `${path}/messages`, { message: 'Where is Basel?' });
const mistyped = await call('POST', `${path}/messages`, { message: 'And how do I get to Zrich?' });
await call('POST', `${path}/messages`, { message: 'How long does that take?' });
await print('Before:', path);

// The question that is edited is the first message of its turn; what stays ends with the answer before it.
const [questionId] = mistyped.messages;
const toLength = (await history(path)).findIndex(({ id }) => id === questionId);
// The version that is on the screen: if another tab was faster, this is a 412, and the screen is out of date.
const { version } = await call('GET', path);
await call('POST', `${path}/rewind`, { toLength }, { 'if-match': `"${version}"` });
await call('POST', `${path}/messages`, { message: 'And how do I get to Zürich?' });
await print('After:', path);

const { superseded } = await call('GET', `${path}/turns/${mistyped.turnId}`);
console.log(`\nThe turn that was edited is superseded: ${superseded}`);
await call('DELETE', path);
