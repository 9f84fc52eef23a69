// Histories that never happened: a run in which all was well, to be spoilt in one place.

import type {
  Evidence,
  Frame,
  MessageView,
  Operation,
  Segment,
  SendOperation,
  TurnView,
} from '../../chaos/evidence.ts';
import { expectedAnswer } from '../../chaos/expected-answer.ts';

export const SESSION = 's1';

type Partly<K extends Operation['kind']> = Partial<Extract<Operation, { kind: K }>>;

/** Operations one after the other, each lasting 10 ms, unless a test says otherwise. */
export class Fabricated {
  readonly operations: Operation[] = [];
  readonly messages: MessageView[] = [];

  constructor() {
    this.add('create', { status: 201, version: 1 });
  }

  add<K extends Operation['kind']>(kind: K, own: Partly<K>): Extract<Operation, { kind: K }> {
    const number = this.operations.length;
    const common = { number, client: 'c1', sessionId: SESSION, replica: 0, outcome: 'ok', status: 200 } as const;
    const operation = { ...common, kind, beganMs: number * 20, endedMs: number * 20 + 10, ...own };
    this.operations.push(operation as unknown as Operation);
    return operation as unknown as Extract<Operation, { kind: K }>;
  }

  send(own: Partial<SendOperation> = {}): SendOperation {
    const token = own.token ?? `q-${this.operations.length}`;
    return this.add('send', { way: 'unary', token, question: token, segments: [], ...own });
  }

  /** A turn that was acknowledged and stands in the history. */
  commit(own: Partial<SendOperation> = {}): { readonly send: SendOperation; readonly turn: TurnView } {
    const token = own.token ?? `q-${this.operations.length}`;
    const turn = this.remember(token);
    return { send: this.send({ token, turnId: turn.turnId, turn, ...own }), turn };
  }

  /** In the history, whatever anybody was told. */
  remember(token: string): TurnView {
    const turnId = `t-${token}`;
    const question = message(`${token}-q`, turnId, 'user', token);
    const contents = [...this.messages, question].map(({ author, parts }) => {
      return { role: author === 'user' ? 'user' : 'model', parts };
    });
    const answer = message(`${token}-a`, turnId, 'bot', expectedAnswer(contents));
    this.messages.push(question, answer);
    const sessionVersion = 1 + this.messages.length / 2;
    return { turnId, state: 'COMMITTED', text: answer.content, messages: [question.id, answer.id], sessionVersion };
  }

  /** What everybody reads when all is over. */
  read(messages: readonly MessageView[] = this.messages, version = 1 + messages.length / 2): void {
    this.add('history', { messages: [...messages], isFinal: true });
    this.add('session', { version, messageCount: messages.length, isFinal: true });
  }

  evidence(own: Partial<Evidence> = {}): Evidence {
    return {
      operations: this.operations,
      disturbed: [],
      modelCalls: [],
      keys: [],
      channels: [],
      processes: [],
      ...own,
    };
  }
}

function message(id: string, turnId: string, author: string, content: string): MessageView {
  return { id, turnId, author, content, parts: [{ text: content }] };
}

export function frame(id: string, event: string, data: object = {}): Frame {
  return { id, event, data: JSON.stringify(data) };
}

export function segment(frames: readonly Frame[], own: Partial<Segment> = {}): Segment {
  return { replica: 0, status: 200, frames, end: 'end', ...own };
}

/** The whole log of a turn that has committed. */
export function logOf({ text, ...turn }: TurnView): readonly Frame[] {
  const half = Math.floor(text.length / 2);
  return [
    frame('1-1', 'turn.started', { turnId: turn.turnId }),
    frame('1-2', 'candidate.delta', { index: 0, text: text.slice(0, half) }),
    frame('1-3', 'candidate.delta', { index: 0, text: text.slice(half) }),
    frame('1-4', 'candidate.finished', { index: 0 }),
    frame('1-5', 'turn.committed', turn),
  ];
}
