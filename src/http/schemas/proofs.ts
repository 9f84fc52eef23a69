// The schemas and the domain's types say the same: each of these lines fails to compile when one side changes alone.

import type { Static } from 'typebox';
import type { Message as DomainMessage } from '../../chat/content.ts';
import type { TokenCount as DomainCount, GroundingSource as DomainGrounding } from '../../chat/language-model.ts';
import type { Session as DomainSession } from '../../chat/session.ts';
import type { GenerationSettings, SettingOverrides } from '../../chat/settings.ts';
import type { Turn as DomainTurn } from '../../chat/turn.ts';
import type { CandidateDelta as DomainDelta, CandidateFinished as DomainFinished } from '../../chat/turn-event.ts';
import type { MonthUsage as DomainMonthUsage, UsageSums } from '../../chat/usage-sums.ts';
import type { CandidateDelta, CandidateFinished } from './events.ts';
import type { Message } from './message.ts';
import type { SendMessage } from './send.ts';
import type { Session } from './session.ts';
import type { GroundingSource } from './settings.ts';
import type { TokenCount } from './token-count.ts';
import type { Turn } from './turn.ts';
import type { MonthUsage, SessionUsage } from './usage.ts';

type ReadonlyDeep<T> = T extends object ? { readonly [K in keyof T]: ReadonlyDeep<T[K]> } : T;
type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Instantiating it with anything but `true` does not compile. */
type Proven<T extends true> = T;

type SettingsOf<T> = Pick<T, keyof GenerationSettings & keyof T>;

export type Proofs = [
  Proven<Mutual<ReadonlyDeep<Static<typeof Message>>, DomainMessage>>,
  Proven<Mutual<ReadonlyDeep<Omit<Static<typeof Session>, 'activeTurn'>>, Omit<DomainSession, 'activeTurnId'>>>,
  Proven<Mutual<ReadonlyDeep<SettingsOf<Static<typeof Session>>>, GenerationSettings>>,
  Proven<Mutual<ReadonlyDeep<SettingsOf<Static<typeof SendMessage>>>, SettingOverrides>>,
  Proven<Mutual<ReadonlyDeep<Static<typeof GroundingSource>>, DomainGrounding>>,
  Proven<Mutual<Readonly<Static<typeof TokenCount>>, DomainCount>>,
  Proven<Mutual<ReadonlyDeep<Static<typeof CandidateDelta>>, DomainDelta>>,
  Proven<Mutual<ReadonlyDeep<Static<typeof CandidateFinished>>, DomainFinished>>,
  Proven<Mutual<ReadonlyDeep<Static<typeof Turn>>, DomainTurn>>,
  Proven<Mutual<ReadonlyDeep<Static<typeof SessionUsage>>, UsageSums>>,
  Proven<Mutual<ReadonlyDeep<Static<typeof MonthUsage>>, DomainMonthUsage>>,
];
