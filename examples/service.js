// What the examples have in common: a call of the service, and how a conversation is printed. Nothing but `fetch`.

/** Where the service is: `BASE_URL`, or as `npm start` has it. */
export const BASE_URL = process.env.BASE_URL ?? 'http://127.0.0.1:8080';

/** Calls the service and gives the body of its answer. Fails with what the service says is wrong (RFC 9457). */
export async function call(method, path, body, headers = {}) {
  const response = await fetch(`${BASE_URL}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { problem: answer });
  return answer;
}

/** The whole history, page by page. */
export async function history(path) {
  const messages = [];
  for (let token = ''; ; ) {
    const page = await call('GET', `${path}/messages?pageSize=100${token}`);
    messages.push(...page.messages);
    if (!page.nextPageToken) return messages;
    token = `&pageToken=${page.nextPageToken}`;
  }
}

export async function print(title, path) {
  console.log(`\n${title}`);
  for (const { author, content } of await history(path)) console.log(`  ${author.padEnd(4)} ${content.slice(0, 100)}`);
}
