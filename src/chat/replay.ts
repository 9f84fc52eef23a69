// The events of a turn whose log is gone, made again from its record: whole texts instead of the pieces they came in.

import { isPlainText } from './content.ts';
import { FrameLog, type TurnView } from './frame-log.ts';
import type { Turn, TurnEndState } from './turn.ts';
import { candidateFinished, type EventCursor, encodeFrame, type TurnEvent, terminalEvent } from './turn-event.ts';

/** Their ids are their own, and not those of a place in line: a viewer goes on from them in the same replay. */
const EPOCH = 0;
const FIRST_SEQ = 10;

class Replay extends FrameLog {
  constructor(events: readonly TurnEvent[]) {
    super(EPOCH);
    this.add(events.map((event, index) => ({ ...encodeFrame(EPOCH, FIRST_SEQ + index, event), seq: index + 1 })));
    this.finish();
  }
}

/** Whether this is the id of an event of a replay. */
export function isOfReplay({ epoch, seq }: EventCursor): boolean {
  return epoch === EPOCH && seq >= FIRST_SEQ;
}

/** What comes after an event of the replay; `undefined` when nothing does. `turn` is over. */
export function replayAfter(turn: Turn, { seq }: EventCursor): TurnView | undefined {
  const replay = replayOf(turn);
  const afterSeq = seq - FIRST_SEQ + 1;
  return replay.log.frameAfter(afterSeq) && { ...replay, afterSeq };
}

/** `turn` is over. */
export function replayOf(turn: Turn): TurnView {
  const { sessionId, turnId, model, createTime, sent } = turn;
  const isAnswered = turn.state === 'COMMITTED' || turn.state === 'BLOCKED';
  const said = turn.candidates.flatMap((candidate): TurnEvent[] => {
    const { index, text, parts } = candidate;
    const more = parts.every(isPlainText) ? {} : { parts };
    const delta: TurnEvent = { type: 'candidate.delta', data: { index, text, ...more } };
    return [...(parts.length > 0 ? [delta] : []), ...(isAnswered ? [candidateFinished(candidate)] : [])];
  });
  const events: TurnEvent[] = [
    { type: 'turn.started', data: { sessionId, turnId, model, createTime, sent } },
    ...said,
    terminalEvent(turn as Turn & { readonly state: TurnEndState }),
  ];
  return { log: new Replay(events), afterSeq: 0, release: () => undefined };
}
