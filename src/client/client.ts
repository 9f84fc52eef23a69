// What is exported as `chat-session-proxy/client`: the seed's chat classes for TypeScript and JavaScript, for Node 20 and
// newer and for browsers. `README.md` beside this file shows how they are used.

export type { Message as ChatMessage, Part } from '../chat/content.ts';
export type { ProblemCode } from '../chat/errors.ts';
export type {
  Citation,
  Example as InputOutputTextPair,
  GroundingMetadata,
  GroundingSource,
  TokenCount,
  Usage,
} from '../chat/language-model.ts';
export type { GenerationSettings, SettingOverrides } from '../chat/settings.ts';
export type { Candidate, Turn, Turn as MultiCandidateTextGenerationResponse } from '../chat/turn.ts';
export { ChatModel, type ChatModelOptions } from './chat-model.ts';
export type {
  CancelOptions,
  HistoryMessage,
  Question,
  SendOptions,
  SessionPatch,
  StartChatOptions,
  StreamOptions,
} from './chat-options.ts';
export { ChatProxyError, type ProblemDetails } from './chat-proxy-error.ts';
export type { ChatSession } from './chat-session.ts';
export type { HistoryOptions, MessageHistory } from './message-history.ts';
export type { Session, TextGenerationResponse } from './responses.ts';
export type { Fetch, ServiceOptions } from './service.ts';
export type { TurnStream } from './turn-stream.ts';
