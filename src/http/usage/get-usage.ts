// GET /v1/usage: what the turns of all sessions of the caller have used in a month, by the state in which they ended.

import type { Route } from '../edge.ts';
import { ownerOf } from '../identity.ts';
import { wantsJson } from '../negotiation.ts';
import { json, problems } from '../responses.ts';
import { UsageQuery } from '../schemas/parameters.ts';
import { MonthUsage } from '../schemas/usage.ts';

export const getUsage: Route = (app, { sessions }) => {
  app.get(
    '/v1/usage',
    {
      onRequest: wantsJson,
      schema: {
        operationId: 'getUsage',
        summary: 'Get the usage of a month',
        description:
          'A turn is added soon after it has ended, to the month (UTC) in which it began. Deleting its session takes ' +
          'nothing away. A month without turns is all zeros.',
        tags: ['usage'],
        querystring: UsageQuery,
        response: {
          200: json('The sums.', MonthUsage),
          ...problems({ hasBody: false }),
        },
      },
    },
    (request) => sessions.usage(ownerOf(request), request.query.month),
  );
};
