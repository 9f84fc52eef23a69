// All scenarios, in the order in which they are measured.

import { crud } from './crud.ts';
import { replicas } from './growth-replicas.ts';
import { sessions } from './growth-sessions.ts';
import { viewers } from './growth-viewers.ts';
import { history } from './history.ts';
import { lag } from './lag.ts';
import { crowd, open } from './open.ts';
import { burst, oneEvent, paced, saturated, unary } from './relay.ts';
import { resume } from './resume.ts';
import type { Scenario } from './scenario.ts';
import { store } from './store.ts';

export const SCENARIOS: readonly Scenario[] = [
  store,
  burst,
  paced,
  saturated,
  oneEvent,
  unary,
  lag,
  history,
  crud,
  resume,
  open,
  crowd,
  sessions,
  viewers,
  replicas,
];
