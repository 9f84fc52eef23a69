// Every named schema, once: for the validator, and as the components of the document.

import { CandidateDelta, CandidateFinished, TurnQueued, TurnStarted } from './events.ts';
import { Message, MessagePage, Part } from './message.ts';
import { Problem } from './problem.ts';
import { Regenerate, RegenerateStream, SendMessage, StreamMessage } from './send.ts';
import {
  ActiveTurn,
  ForkSession,
  ImportMessages,
  NewSession,
  RewindSession,
  Session,
  SessionPage,
  SessionPatch,
  Usage,
} from './session.ts';
import { CountTokens, TokenCount } from './token-count.ts';
import {
  CancelTurn,
  Candidate,
  CandidateWithoutText,
  ChooseCandidate,
  Citation,
  GroundingMetadata,
  Sent,
  Turn,
  TurnPage,
  TurnWithoutTexts,
} from './turn.ts';
import { MonthUsage, SessionUsage, StateUsage, UsageByState } from './usage.ts';

export const COMPONENTS = [
  NewSession,
  Session,
  SessionPatch,
  RewindSession,
  ForkSession,
  ImportMessages,
  SessionPage,
  ActiveTurn,
  Usage,
  Part,
  Message,
  MessagePage,
  SendMessage,
  StreamMessage,
  Regenerate,
  RegenerateStream,
  CancelTurn,
  ChooseCandidate,
  Turn,
  Candidate,
  Citation,
  GroundingMetadata,
  Sent,
  TurnPage,
  TurnWithoutTexts,
  CandidateWithoutText,
  TurnQueued,
  TurnStarted,
  CandidateDelta,
  CandidateFinished,
  CountTokens,
  TokenCount,
  StateUsage,
  UsageByState,
  SessionUsage,
  MonthUsage,
  Problem,
] as const;
