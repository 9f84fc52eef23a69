// The port to what callers use of what they may: requests in a minute, places at a time. Counted over all processes that share
// the sessions. How much is allowed is said with each call, so that it is configured in one place.
//
// Every call may fail with `store_unavailable`. None has to be exact when it is sent again after a lost reply: then a request
// counts twice, and a place is taken once.

/** Who is counted: an owner of sessions, or the network that a request comes from. */
export interface Requester {
  readonly kind: 'owner' | 'address';
  readonly name: string;
}

/**
 * Requests are counted in steps, and each step counts until it lies behind the window as a whole: never more than what is
 * allowed in any `steps * stepMs`, and at least `steps / (steps + 1)` of it to whoever asks for more without a pause.
 */
export interface RateWindow {
  readonly stepMs: number;
  readonly steps: number;
}

/** A minute. */
export const RATE_WINDOW: RateWindow = { stepMs: 5000, steps: 12 };

export interface Counted {
  /** Otherwise the request was not counted. */
  readonly isAdmitted: boolean;
  /** How many more requests fit now. */
  readonly remaining: number;
  /** Until more of them do; when it is not admitted, until one does. */
  readonly waitMs: number;
}

/** What an owner holds while it goes on. */
export interface Place {
  readonly owner: string;
  readonly kind: 'turns' | 'streams';
  /** Unique. */
  readonly id: string;
}

export interface Quotas {
  /** Count one request, if it fits. One atomic step. */
  count(caller: Requester, requestsMax: number): Promise<Counted>;

  /** Hold a place for a while, if fewer than `placesMax` are held. One atomic step. False when all are. */
  take(place: Place, rules: { readonly placesMax: number; readonly leaseMs: number }): Promise<boolean>;

  /** Hold places of one owner and kind for another while; those that were lost meanwhile, too, since they are in use. */
  keep(places: readonly [Place, ...Place[]], leaseMs: number): Promise<void>;

  /** Idempotent. A place that cannot be freed now is free when its lease is over. */
  free(place: Place): Promise<void>;
}
