// What is away says so many times a second; once every few seconds is enough to know.

import type { FastifyBaseLogger } from 'fastify';
import { ChatError } from './chat/errors.ts';

const EVERY_MS = 5000;

/** Logs the names and codes of errors; texts of our own only, since others may quote anything. */
export function reporter(logger: FastifyBaseLogger, about: string): (error: unknown) => void {
  let nextAt = 0;
  return (error) => {
    if (Date.now() < nextAt) return;
    nextAt = Date.now() + EVERY_MS;
    const { name, code } = (error ?? {}) as { readonly name?: string; readonly code?: string };
    logger.warn({ code, name, ...(error instanceof ChatError ? { reason: error.message } : {}) }, about);
  };
}
