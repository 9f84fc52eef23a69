// The soak's judge of a stream: each thing that must not be is seen.

import { expect, test } from 'vitest';
import { complaintsAbout } from '../../soak/stream-check.ts';

const frame = (seq: number, event: string, data: object = {}, epoch = 7) => {
  return { id: `${epoch}-${seq}`, event, data: JSON.stringify(data) };
};
const WHOLE = [
  frame(1, 'turn.started'),
  frame(2, 'candidate.delta', { index: 0, text: 'one ' }),
  frame(3, 'candidate.delta', { index: 0, text: 'two' }),
  frame(4, 'candidate.finished'),
  frame(5, 'turn.committed'),
];

test('a whole stream has nothing wrong', () => {
  expect(complaintsAbout(WHOLE, 'one two')).toEqual([]);
});

test.each([
  ['an event that is missing', WHOLE.toSpliced(1, 1), 'event 7-3 comes after 7-1'],
  [
    'an event that came twice',
    WHOLE.toSpliced(2, 0, frame(2, 'candidate.delta', { text: '' })),
    'event 7-2 comes after 7-2',
  ],
  ['a beginning that is missing', WHOLE.slice(1), 'event 7-2 comes after undefined'],
  ['an event of another turn', WHOLE.with(3, frame(4, 'candidate.finished', {}, 8)), 'event 8-4 is of another turn'],
  ['an end that is missing', WHOLE.slice(0, -1), 'the last event is candidate.finished'],
  [
    'another text',
    WHOLE.with(2, frame(3, 'candidate.delta', { text: 'too' })),
    'the deltas are not the message in the history',
  ],
])('%s is seen', (_what, frames, complaint) => {
  expect(complaintsAbout(frames, 'one two')).toContain(complaint);
});
