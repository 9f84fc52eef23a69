// One running turn: the producer. It belongs to the process, not to a connection; it reads the model, appends to the
// log, and ends the turn in the store exactly once, whatever happens to its viewers.

import { NO_ANSWER } from './answer.ts';
import { isoTime } from './clock.ts';
import { asChatError, ChatError } from './errors.ts';
import { type FinishOutcome, finishTurn } from './finish-turn.ts';
import { TurnFlusher } from './flusher.ts';
import type { ModelChunk } from './language-model.ts';
import { type EndedTurn, presentTurn } from './present-turn.ts';
import type { SessionKey } from './session.ts';
import { startedTurn, type Turn } from './turn.ts';
import { encodeFrame, type Frame, REAPER_SEQ, type TurnEvent, terminalEvent } from './turn-event.ts';
import { TurnLog } from './turn-log.ts';
import {
  type Ending,
  FIRST_PHASE,
  type Keep,
  step,
  type TurnEffect,
  type TurnInput,
  type TurnPhase,
  type TurnRules,
} from './turn-machine.ts';
import type { TurnDependencies, TurnPlan } from './turn-plan.ts';

export class RunningTurn {
  readonly key: SessionKey;
  readonly turnId: string;
  readonly epoch: number;
  readonly log: TurnLog;
  /** Resolves at the first chunk of the model, or when the turn has ended without one. Never rejects. */
  readonly answered: Promise<void>;
  /** Resolves when the turn has ended and everybody may know how. Never rejects. */
  readonly ended: Promise<EndedTurn>;

  readonly #plan: TurnPlan;
  readonly #deps: TurnDependencies;
  readonly #flusher: TurnFlusher;
  readonly #rules: TurnRules;
  readonly #abort = new AbortController();
  readonly #messageIds: readonly [string, string];
  #phase: TurnPhase = FIRST_PHASE;
  #chunks = 0;
  #firstChunkAt: number | undefined;
  #stopTimer: (() => void) | undefined;
  /** The turn and its last frame as the store took them. */
  #stored: { readonly turn: EndedTurn; readonly frame: Frame } | undefined;
  readonly #markAnswered: () => void;
  readonly #markEnded: (turn: EndedTurn) => void;

  constructor(plan: TurnPlan, deps: TurnDependencies) {
    this.key = plan.key;
    this.turnId = plan.start.turnId;
    this.epoch = plan.epoch;
    this.#plan = plan;
    this.#deps = deps;
    this.log = new TurnLog(plan.epoch);
    this.#flusher = new TurnFlusher(deps.store, plan.key, this.log, deps.schedule, {
      onLost: (reason) => this.lose(reason),
      onCancel: (keep) => this.cancel(keep),
    });
    this.#rules = { isStream: plan.isStream, answerSizeMax: deps.limits.answerSizeMax };
    this.#messageIds = [deps.newId(), deps.newId()];
    const answered = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<EndedTurn>();
    this.answered = answered.promise;
    this.ended = ended.promise;
    this.#markAnswered = answered.resolve;
    this.#markEnded = ended.resolve;
  }

  /** Whether the model has said anything yet. */
  get hasAnswer(): boolean {
    return this.#firstChunkAt !== undefined;
  }

  /** Whether its ending is on its way to the store, which may have taken it already: then only the store can tell. */
  get isFinishing(): boolean {
    return this.#phase.kind !== 'running';
  }

  /** The turn as it stands while it runs. */
  get snapshot(): Turn {
    return startedTurn(this.#plan.start);
  }

  /** Call the model, unless that is refused. Called once. */
  start(): void {
    const { start, refusal } = this.#plan;
    this.#emit({ type: 'turn.started', data: start });
    const { turnTimeoutMs } = this.#deps.limits;
    this.#stopTimer = this.#deps.clock.after(turnTimeoutMs, () => {
      this.stop(new ChatError('model_timeout', `The turn took longer than ${turnTimeoutMs} ms.`));
    });
    if (refusal) this.stop(refusal);
    else void this.#readModel();
  }

  /** Idempotent; too late once the ending is on its way to the store. */
  cancel(keep: Keep = 'none'): void {
    this.#take({ type: 'cancelled', keep });
  }

  /** End the turn as FAILED with this error, if it still runs. */
  stop(error: ChatError): void {
    this.#take({ type: 'modelFailed', error });
  }

  /** It is not ours any more. Once its ending is on its way only `finish` can tell: a commit that was taken looks the same. */
  lose(reason: 'fenced' | 'gone'): void {
    if (this.#phase.kind === 'finishing') return;
    this.#take({ type: 'lost', reason });
  }

  /** Wait no longer for the store: viewers are told that the outcome is unknown. */
  giveUp(): void {
    this.#take({ type: 'outcomeUnknown' });
  }

  async #readModel(): Promise<void> {
    const { request, isStream } = this.#plan;
    try {
      if (isStream) {
        await this.#deps.model.stream(request, this.#abort.signal, (chunk) => this.#takeChunk(chunk));
      } else {
        this.#takeChunk(await this.#deps.model.generate(request, this.#abort.signal));
      }
      this.#take({ type: 'modelEnded' });
    } catch (error) {
      this.#take({ type: 'modelFailed', error: asChatError(error) });
    }
  }

  #takeChunk(chunk: ModelChunk): void {
    this.#chunks += 1;
    this.#firstChunkAt ??= this.#deps.clock.now();
    this.#take({ type: 'chunk', chunk });
    // The first chunk is not held back: remote viewers are waiting for a sign of life.
    if (this.#chunks === 1 && this.#plan.isStream) this.#flusher.hurry();
    this.#markAnswered();
  }

  #take(input: TurnInput): void {
    const { phase, effects } = step(this.#phase, input, this.#rules);
    this.#phase = phase;
    try {
      for (const effect of effects) this.#carryOut(effect);
    } catch (error) {
      this.#breakDown(error);
    }
  }

  /**
   * What the model said can be taken, but not be told, for a reason that nobody thought of. The turn ends all the same,
   * without that answer: a turn that hangs would block its session for ever.
   */
  #breakDown(cause: unknown): void {
    this.#abort.abort();
    const ending: Ending = { state: 'FAILED', error: asChatError(cause) };
    const hasConcluded = this.#phase.kind === 'ended';
    this.#phase = { kind: hasConcluded ? 'ended' : 'finishing', answer: NO_ANSWER, ending };
    if (!hasConcluded) void this.#finish(ending);
    else if (!this.log.hasEnded) this.#conclude(ending, undefined);
  }

  #carryOut(effect: TurnEffect): void {
    switch (effect.type) {
      case 'emit':
        this.#emit(effect.event);
        break;
      case 'abortModel':
        this.#abort.abort();
        break;
      case 'finish':
        void this.#finish(effect.ending);
        break;
      case 'conclude':
        this.#conclude(effect.ending, effect.version);
        break;
      default:
        effect satisfies never;
    }
  }

  #emit(event: TurnEvent): void {
    const frame = this.log.append(event);
    this.#flusher.note(frame.text.length);
  }

  async #finish(ending: Ending): Promise<void> {
    const { answer } = this.#phase;
    const { log } = this;
    let finished: FinishOutcome;
    try {
      const finishing = { plan: this.#plan, log, flusher: this.#flusher, answer, ending, messageIds: this.#messageIds };
      finished = await finishTurn(finishing, this.#deps);
    } catch (error) {
      if (answer === NO_ANSWER) this.giveUp();
      else this.#breakDown(error);
      return;
    }
    switch (finished.outcome) {
      case 'stored':
        this.#stored = finished;
        this.#take({ type: 'stored', version: finished.version });
        break;
      case 'lost':
        this.#take({ type: 'lost', reason: finished.reason });
        break;
      case 'unknown':
        this.#take({ type: 'outcomeUnknown' });
        break;
      default:
        finished satisfies never;
    }
  }

  /** The turn as it ended when the store did not take this ending. */
  #presentLost(ending: Ending): EndedTurn {
    const { start, isStream } = this.#plan;
    const ended = { ending, answer: this.#phase.answer, endTime: isoTime(this.#deps.clock.now()) };
    return presentTurn({ start, isStream, ...ended, messageIds: this.#messageIds }, this.#deps.describe);
  }

  /** Everybody may know now. What the store took is shown byte for byte as it was taken. */
  #conclude(ending: Ending, version: number | undefined): void {
    this.#stopTimer?.();
    void this.#flusher.stop();
    const taken = version === undefined ? undefined : this.#stored;
    const turn = taken?.turn ?? this.#presentLost(ending);
    // The store may have taken another end before the deletion, without telling: its id is not used for this one.
    const seq = ending.state === 'CANCELLED' ? REAPER_SEQ : this.log.lastSeq + 1;
    const frame = taken?.frame ?? encodeFrame(this.epoch, seq, terminalEvent(turn));
    this.log.end([frame]);
    this.#markEnded(turn);
    this.#markAnswered();
    const began = Date.parse(this.#plan.start.createTime);
    this.#deps.observe({
      turn,
      sessionId: this.key.sessionId,
      isStream: this.#plan.isStream,
      chunks: this.#chunks,
      ...(this.#firstChunkAt === undefined ? {} : { firstChunkMs: this.#firstChunkAt - began }),
      durationMs: this.#deps.clock.now() - began,
      ...(ending.state === 'FAILED' ? { error: ending.error } : {}),
    });
  }
}
