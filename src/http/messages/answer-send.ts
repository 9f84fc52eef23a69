// How a send is answered as JSON: by its finished turn, or at once by its address.

import type { FastifyReply } from 'fastify';
import { EarlierTurn } from '../../chat/earlier-turn.ts';
import type { TurnAddress } from '../../chat/errors.ts';
import type { RunningTurn } from '../../chat/running-turn.ts';
import { isOpen } from '../../chat/turn.ts';
import type { WaitingTurn } from '../../chat/waiting-turn.ts';
import { sendProblem } from '../problem-handlers.ts';
import { type PublicPaths, turnPath } from '../problems.ts';
import { json, TURN_ADDRESS } from '../responses.ts';
import { Turn } from '../schemas/turn.ts';

export type Sent = RunningTurn | WaitingTurn | EarlierTurn;

/** Of the document: what both sends may answer with a turn. */
export const TURN_ANSWERS = {
  200: json('The finished turn: COMMITTED, BLOCKED or CANCELLED.', Turn, TURN_ADDRESS),
  202: json('With `Prefer: respond-async`: the turn, which goes on.', Turn, {
    ...TURN_ADDRESS,
    'Preference-Applied': { type: 'string', description: '`respond-async`.' },
  }),
};

export async function answerSend(reply: FastifyReply, sent: Sent, prefer: string | undefined): Promise<FastifyReply> {
  const isEarlier = sent instanceof EarlierTurn;
  if (wantsNoWait(prefer)) {
    const now = isEarlier ? await sent.current() : sent.snapshot;
    if (isOpen(now)) return reply.code(202).header('preference-applied', 'respond-async').send(now);
  }
  const turn = isEarlier ? await sent.ended() : await sent.ended;
  return turn.problem ? sendProblem(reply, turn.problem) : reply.send(turn);
}

/** Every answer of a send says where its turn is, problems included. */
export function addressTurn(reply: FastifyReply, turn: TurnAddress, paths: PublicPaths): void {
  reply.header('location', turnPath(paths, turn)).header('turn-id', turn.turnId);
}

/** RFC 7240. A preference that is not known, or not met, is passed over. */
function wantsNoWait(prefer: string | undefined): boolean {
  return (prefer ?? '').split(',').some((preference) => /^\s*respond-async\s*(;|$)/i.test(preference));
}
