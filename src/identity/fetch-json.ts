// JSON from an issuer: small, soon, and from exactly where it was asked for.

import { Agent, request } from 'undici';
import { ChatError } from '../chat/errors.ts';

const TIMEOUT_MS = 5000;
const BYTES_MAX = 512 * 1024;

export interface JsonFetcher {
  fetch(url: string): Promise<unknown>;
  close(): void;
}

export function jsonFetcher(): JsonFetcher {
  const agent = new Agent({
    connect: { timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connections: 2,
    maxResponseSize: BYTES_MAX,
  });
  return {
    async fetch(url) {
      // Redirects are not followed: undici does so only when asked to.
      const { statusCode, body } = await request(url, {
        dispatcher: agent,
        headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (statusCode !== 200) {
        await body.dump();
        throw new ChatError('identity_unavailable', `the issuer has answered ${statusCode}`);
      }
      return body.json();
    },
    close: () => void agent.destroy(),
  };
}
