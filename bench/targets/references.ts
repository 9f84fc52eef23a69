// What the service is measured by: the way to the model without anything between, and with as little as can be.

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port.ts';
import { startGuarded } from '../../test/support/guarded-process.ts';
import { until } from '../../test/support/until.ts';
import { childrenOf, startScript } from '../processes.ts';
import type { Conversation, StartTarget, Target } from './target.ts';

export const direct: StartTarget = async (modelPort) => ({
  name: 'direct',
  pids: [],
  storePids: [],
  open: async (count) => conversations(modelPort, count),
  [Symbol.asyncDispose]: async () => undefined,
});

export const pipe: StartTarget = (modelPort) => fromScript('node:http pipe', './targets/pipe-server.ts', modelPort);

export const dispatch: StartTarget = (modelPort) =>
  fromScript('undici dispatch', './targets/dispatch-server.ts', modelPort);

async function fromScript(name: string, file: string, modelPort: number): Promise<Target> {
  const { pid, port, end } = await startScript(file, [modelPort]);
  return {
    name,
    pids: [pid],
    storePids: [],
    open: async (count) => conversations(port, count),
    [Symbol.asyncDispose]: end,
  };
}

/** Whether nginx is here: it is a reference where it is, and missed nowhere. */
export const hasNginx = spawnSync('nginx', ['-v']).status === 0;

export const nginx: StartTarget = async (modelPort) => {
  const folder = await mkdtemp(join(tmpdir(), 'csp-bench-nginx-'));
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  await writeFile(file, nginxConfig(folder, port, modelPort));
  const master = await startGuarded('nginx', ['-c', file, '-p', folder], folder);
  const [worker = 0] = await until('nginx has a worker', () => {
    if (master.hasExited) throw new Error(`nginx has ended:\n${master.output}`);
    const children = childrenOf(master.pid);
    return children.length > 0 ? children : undefined;
  });
  return {
    name: 'nginx',
    pids: [master.pid, worker],
    storePids: [],
    open: async (count) => conversations(port, count),
    async [Symbol.asyncDispose]() {
      await master.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

function nginxConfig(folder: string, port: number, modelPort: number): string {
  return `
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid ${folder}/nginx.pid; error_log ${folder}/error.log crit;
events { worker_connections 19000; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 1000000; client_max_body_size 64m; client_body_buffer_size 4m;
  upstream model { server 127.0.0.1:${modelPort}; keepalive 10000; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} backlog=16384;
    location / {
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 600s;
    }
  }
}
`;
}

/** They keep nothing: each call is made as the model wants it. */
function conversations(port: number, count: number): readonly Conversation[] {
  const call = (method: string, question: string) => ({
    port,
    method: 'POST' as const,
    path: `/v1/projects/p/locations/global/publishers/google/models/bench:${method}`,
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: question }] }] }),
  });
  return Array.from({ length: count }, () => ({
    stream: (question) => call('streamGenerateContent?alt=sse', question),
    unary: (question) => call('generateContent', question),
  }));
}
