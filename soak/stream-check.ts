// What has to hold of everything that one client was told of one turn, on all its connections together.

import type { ReadFrame } from './stream-reader.ts';

export function textOf(frames: readonly ReadFrame[]): string {
  const deltas = frames.filter(({ event }) => event === 'candidate.delta');
  return deltas.map(({ data }) => (JSON.parse(data) as { readonly text: string }).text).join('');
}

/** What is wrong; nothing, when every event came once, in order, and the deltas are the message that was stored. */
export function complaintsAbout(frames: readonly ReadFrame[], stored: string | undefined): readonly string[] {
  const numbers = frames.map(({ id }) => id.split('-').map(Number));
  const complaints: string[] = [];
  for (const [index, [epoch, seq]] of numbers.entries()) {
    const [epochBefore, seqBefore] = numbers[index - 1] ?? [epoch, 0];
    if (epoch !== epochBefore) complaints.push(`event ${frames[index]?.id} is of another turn`);
    else if (seq !== (seqBefore ?? 0) + 1)
      complaints.push(`event ${frames[index]?.id} comes after ${frames[index - 1]?.id}`);
  }
  const last = frames.at(-1)?.event;
  if (last !== 'turn.committed') complaints.push(`the last event is ${last}`);
  if (textOf(frames) !== stored) complaints.push('the deltas are not the message in the history');
  return complaints;
}
