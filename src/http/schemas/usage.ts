// What turns have used, summed up.

import { Type } from 'typebox';
import { closed, named, ref } from './schema.ts';
import { Usage } from './session.ts';

export const StateUsage = named(
  'StateUsage',
  closed({
    turns: Type.Integer({ minimum: 1, description: 'How many turns ended so, and reported usage.' }),
    ...Usage.properties,
  }),
);

export const UsageByState = named(
  'UsageByState',
  closed(
    {
      COMMITTED: Type.Optional(ref(StateUsage)),
      BLOCKED: Type.Optional(ref(StateUsage)),
      FAILED: Type.Optional(ref(StateUsage)),
      CANCELLED: Type.Optional(ref(StateUsage)),
    },
    { description: 'By the state in which turns ended; a turn counts when the model has reported its usage.' },
  ),
);

/** `usage` is that of all states. */
const sums = { usage: ref(Usage), byState: ref(UsageByState) };

export const SessionUsage = named('SessionUsage', closed(sums));

export const Month = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])$', description: '`YYYY-MM`, UTC.' });

export const MonthUsage = named('MonthUsage', closed({ month: Month, ...sums }));
