// The document is what the service does.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { startScene } from '../support/service-scene.ts';

interface Documented {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: object;
}

const file = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
const document = parse(file);

test('the document is served byte for byte', async () => {
  await using scene = await startScene();
  const answer = await scene.client.get('/openapi.yaml');
  expect(answer.text).toBe(file);
  expect(answer.headers['content-type']).toContain('application/yaml');
});

test('every route is documented, and everything documented is a route', async () => {
  await using scene = await startScene();
  const documented = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  for (const operation of documented) {
    const [method = '', path = ''] = operation.split(' ');
    const url = path.replace(/\{(\w+)\}/g, ':$1');
    expect(scene.service.app.hasRoute({ method: method as 'GET', url }), operation).toBe(true);
  }
  const routes = scene.service.app.printRoutes({ commonPrefix: false, includeMeta: false });
  expect((routes.match(/\((.*?)\)/g) ?? []).join().match(/[A-Z]+/g)?.length).toBe(documented.length);
});

test('every operation has a name, a summary, and its problems', () => {
  const operations = Object.values<Record<string, Documented>>(document.paths).flatMap((methods) =>
    Object.values(methods),
  );
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { operationId, summary, responses } of operations) {
    expect(typeof summary, operationId).toBe('string');
    const statuses = Object.keys(responses);
    expect(
      statuses.some((status) => status.startsWith('2')),
      operationId,
    ).toBe(true);
  }
});
