// A send as the service reads it.

import type { IfMatch, Question, SendOptions } from './chat-options.ts';

type SettingsOfSend = Omit<SendOptions, 'signal'> & { readonly onDisconnect?: 'cancel' | 'continue' };

export interface Send {
  readonly body: object;
  readonly headers: Readonly<Record<string, string>>;
}

export function sendOf(question: Question, { ifMatch, ...settings }: SettingsOfSend): Send {
  return { body: { ...contentOf(question), ...settings }, headers: ifMatchHeader(ifMatch) };
}

export function contentOf(question: Question): object {
  return typeof question === 'string' ? { message: question } : { parts: question };
}

/** A version as its entity tag; a tag as it is. */
export function ifMatchHeader(ifMatch: IfMatch['ifMatch']): Readonly<Record<string, string>> {
  if (ifMatch === undefined) return {};
  return { 'if-match': typeof ifMatch === 'number' ? `"${ifMatch}"` : ifMatch };
}

/** 128 random bits. Not `randomUUID`: browsers have it only on pages that came by https. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
