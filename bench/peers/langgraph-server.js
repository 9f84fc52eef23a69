// A chat server on LangGraph: the routes of its API package, embedded, over a graph of one node that asks the model and has
// the messages as its state. JavaScript, because its packages are there only on demand.

import { serve } from '@hono/node-server';
import { ChatGoogleGenerativeAI } from '@langchain/google-genai';
import { END, MemorySaver, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { createEmbedServer } from '@langchain/langgraph-api/experimental/embed';

const [modelPort] = process.argv.slice(2);
const model = new ChatGoogleGenerativeAI({
  model: 'gemini-2.5-flash',
  apiKey: 'bench',
  baseUrl: `http://127.0.0.1:${modelPort}`,
});
// It would be sent with each piece of text; the packages that it names hold the mark by which such pieces are counted.
model.metadata = {};

const graph = new StateGraph(MessagesAnnotation)
  .addNode('answer', async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
  .addEdge(START, 'answer')
  .addEdge('answer', END)
  .compile();

const checkpointer = new MemorySaver();
const kept = new Map();
const threads = {
  get: async (id) => kept.get(id),
  async set(id, { metadata }) {
    const thread = { thread_id: id, metadata: { ...kept.get(id)?.metadata, ...metadata } };
    kept.set(id, thread);
    return thread;
  },
  async delete(id) {
    kept.delete(id);
    await checkpointer.deleteThread(id);
  },
};

const { fetch } = createEmbedServer({ graph: { bench: graph }, threads, checkpointer });
serve({ fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
  process.stdout.write(`${port}\n`);
});
