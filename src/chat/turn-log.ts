// The log of one running turn, in the memory of its producer: append-only, read by any number of cursors. It is the
// producer's only way to speak, and it never waits for a reader.

import { FrameLog } from './frame-log.ts';
import { encodeFrame, type Frame, type TurnEvent } from './turn-event.ts';

export class TurnLog extends FrameLog {
  append(event: TurnEvent): Frame {
    if (this.hasEnded) throw new Error('an event after the end of a turn');
    const frame = encodeFrame(this.epoch, this.lastSeq + 1, event);
    this.addOne(frame);
    return frame;
  }

  /** Append frames that were encoded before (the last ones, which went into `finish`), and end the log. */
  end(frames: readonly Frame[]): void {
    if (this.hasEnded) return;
    this.add(frames);
    this.finish();
  }
}
