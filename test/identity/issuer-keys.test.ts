// Keys of an issuer over time: when they are fetched, how long they serve, and what happens when it is away.

import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { ChatError } from '../../src/chat/errors.ts';
import { RemoteKeys } from '../../src/identity/issuer-keys.ts';
import { JwtIdentity, type JwtRules } from '../../src/identity/jwt.ts';
import { AUDIENCE, bearer, Issuer, newSigningKey } from '../support/issuer.ts';
import { startScene } from '../support/service-scene.ts';
import { until } from '../support/until.ts';

const MINUTE = 60_000;

/** An identity whose time the test moves; keys come from the issuer, without HTTP. */
async function scene() {
  const issuer = await Issuer.start();
  let now = 0;
  let fetched = 0;
  let isAway = false;
  const failures: unknown[] = [];
  const keys = new RemoteKeys({
    issuer: issuer.url,
    jwksUrl: 'keys',
    now: () => now,
    onFailure: (error) => failures.push(error),
    async fetchJson() {
      fetched += 1;
      if (isAway) throw new Error('away');
      return { keys: issuer.keys.map(({ jwk }) => jwk) };
    },
  });
  const rules: JwtRules = {
    issuer: issuer.url,
    audiences: [AUDIENCE],
    algorithms: ['ES256'],
    ownerClaim: 'sub',
    scopeClaim: 'scope',
    header: 'authorization',
  };
  const identity = new JwtIdentity({ find: keys.find, renew: () => keys.renew(), close: () => {} }, rules, Date.now);
  /** `ok`, or the code of the refusal. */
  const ask = async (token: string): Promise<string> => {
    try {
      await identity.identify({ rawHeaders: ['authorization', `Bearer ${token}`] } as IncomingMessage);
      return 'ok';
    } catch (error) {
      if (error instanceof ChatError) return error.code;
      throw error;
    }
  };
  return {
    issuer,
    failures,
    ask,
    fetched: () => fetched,
    pass(ms: number) {
      now += ms;
    },
    setAway(value: boolean) {
      isAway = value;
    },
    [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose](),
  };
}

test('keys are fetched once, whoever waits for them', async () => {
  await using s = await scene();
  const token = await s.issuer.token('alice');
  expect(await Promise.all(Array.from({ length: 20 }, () => s.ask(token)))).toEqual(Array(20).fill('ok'));
  expect(s.fetched()).toBe(1);
});

test('keys are fetched again beside the requests when they are older than ten minutes', async () => {
  await using s = await scene();
  const token = await s.issuer.token('alice');
  await s.ask(token);
  s.pass(11 * MINUTE);
  expect(await s.ask(token)).toBe('ok');
  await until('they were fetched again', () => s.fetched() === 2);
  await s.ask(token);
  expect(s.fetched()).toBe(2);
});

test('a key that is gone from the set is good no longer once the set was fetched again', async () => {
  await using s = await scene();
  const token = await s.issuer.token('alice');
  await s.ask(token);
  s.issuer.keys = [await newSigningKey('second')];
  expect(await s.ask(token)).toBe('ok');
  s.pass(11 * MINUTE);
  await s.ask(token);
  await until('they were fetched again', () => s.fetched() === 2);
  expect(await s.ask(token)).toBe('unauthenticated');
});

test('while the issuer is away, its keys serve for an hour; then nothing can be told', async () => {
  await using s = await scene();
  const token = await s.issuer.token('alice');
  await s.ask(token);
  s.setAway(true);
  s.pass(59 * MINUTE);
  expect(await s.ask(token)).toBe('ok');
  s.pass(2 * MINUTE);
  expect(await s.ask(token)).toBe('identity_unavailable');
  expect(s.failures.length).toBeGreaterThan(0);
  s.setAway(false);
  s.pass(2000);
  expect(await s.ask(token)).toBe('ok');
});

test('without keys nothing can be told, and the issuer is asked at most once a second', async () => {
  await using s = await scene();
  s.setAway(true);
  const token = await s.issuer.token('alice');
  for (let i = 0; i < 10; i += 1) expect(await s.ask(token)).toBe('identity_unavailable');
  expect(s.fetched()).toBe(1);
  s.setAway(false);
  expect(await s.ask(token)).toBe('identity_unavailable');
  s.pass(1001);
  expect(await s.ask(token)).toBe('ok');
});

describe('a key that is not known', () => {
  test('is looked for: keys are rotated while tokens come in', async () => {
    await using s = await scene();
    const old = await s.issuer.token('alice');
    await s.ask(old);
    const [first] = s.issuer.keys;
    const second = await newSigningKey('second');
    s.issuer.keys = first ? [first, second] : [];
    const fresh = await s.issuer.token('alice', {}, { key: second });
    expect(await Promise.all([s.ask(fresh), s.ask(old), s.ask(fresh)])).toEqual(['ok', 'ok', 'ok']);
    expect(s.fetched()).toBe(2);
  });

  test('is looked for once in thirty seconds, however many names are made up', async () => {
    await using s = await scene();
    await s.ask(await s.issuer.token('alice'));
    const [key] = s.issuer.keys;
    const madeUp = (kid: string) => s.issuer.token('alice', {}, { key, header: { kid } });
    const tokens = await Promise.all(Array.from({ length: 200 }, (_, i) => madeUp(`kid-${i}`)));
    for (const token of tokens) expect(await s.ask(token)).toBe('unauthenticated');
    expect(s.fetched()).toBe(2);
    s.pass(29_000);
    await s.ask(await madeUp('later'));
    expect(s.fetched()).toBe(2);
    s.pass(2000);
    await s.ask(await madeUp('much-later'));
    expect(s.fetched()).toBe(3);
  });

  test('changes nothing for tokens with known keys, also while it is looked for in vain', async () => {
    await using s = await scene();
    const token = await s.issuer.token('alice');
    await s.ask(token);
    s.setAway(true);
    const madeUp = await s.issuer.token('alice', {}, { key: await newSigningKey('no') });
    for (let i = 0; i < 3; i += 1) expect(await s.ask(madeUp)).toBe('identity_unavailable');
    expect(await s.ask(token)).toBe('ok');
    expect(s.fetched()).toBe(2);
    s.setAway(false);
    s.pass(30_000);
    expect(await s.ask(madeUp)).toBe('unauthenticated');
  });

  test('is looked for also when the token does not name it: keys are rotated without names', async () => {
    await using s = await scene();
    const nameless = async () => {
      const key = await newSigningKey('x');
      return { ...key, jwk: { ...key.jwk, kid: undefined as never } };
    };
    const header = { kid: undefined };
    s.issuer.keys = [await nameless()];
    await s.ask(await s.issuer.token('alice', {}, { header }));
    s.issuer.keys = [await nameless()];
    const fresh = await s.issuer.token('alice', {}, { header });
    expect(await s.ask(fresh)).toBe('ok');
    const foreign = await s.issuer.token('alice', {}, { key: await newSigningKey('y'), header });
    for (let i = 0; i < 5; i += 1) expect(await s.ask(foreign)).toBe('unauthenticated');
    expect(s.fetched()).toBe(2);
  });
});

test('of several keys without names the one that fits is found', async () => {
  await using s = await scene();
  const nameless = await Promise.all(['a', 'b', 'c'].map((kid) => newSigningKey(kid)));
  s.issuer.keys = nameless.map((key) => ({ ...key, jwk: { ...key.jwk, kid: undefined as never } }));
  const header = { kid: undefined };
  expect(await s.ask(await s.issuer.token('alice', {}, { key: nameless[2], header }))).toBe('ok');
  const foreign = await newSigningKey('d');
  expect(await s.ask(await s.issuer.token('alice', {}, { key: foreign, header }))).toBe('unauthenticated');
});

describe('over HTTP', () => {
  test('an issuer that is away does not keep the service from starting; it is asked until it is there', async () => {
    const issuer = await Issuer.start();
    const token = await issuer.token('alice');
    const { env, url } = issuer;
    await issuer[Symbol.asyncDispose]();
    await using service = await startScene(env);
    expect((await service.client.get('/readyz')).status).toBe(200);
    const answer = await service.client.get('/v1/sessions', bearer(token));
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 503, code: 'identity_unavailable' });
    expect(answer.headers['retry-after']).toBeDefined();
    await using back = await Issuer.start(Number(new URL(url).port));
    back.keys = issuer.keys;
    await until('it is let in', async () => (await service.client.get('/v1/sessions', bearer(token))).status === 200);
  });

  test.each<[string, (issuer: Issuer) => void]>([
    [
      'redirects',
      (issuer) => {
        issuer.instead = (response) => response.writeHead(302, { location: `${issuer.url}/keys` }).end();
      },
    ],
    [
      'sends no JSON',
      (issuer) => {
        issuer.instead = (response) => response.writeHead(200).end('<html>');
      },
    ],
    [
      'sends without an end',
      (issuer) => {
        issuer.instead = (response) => {
          response.writeHead(200);
          response.write(`{"issuer":"${'x'.repeat(1024 * 1024)}`);
        };
      },
    ],
    [
      'is another one',
      (issuer) => {
        issuer.instead = (response) => {
          response.end(JSON.stringify({ issuer: 'https://other.example', jwks_uri: `${issuer.url}/keys` }));
        };
      },
    ],
    [
      'breaks off',
      (issuer) => {
        issuer.instead = (response) => response.destroy();
      },
    ],
  ])('an issuer that %s leaves tokens unchecked, not refused', async (_what, break_) => {
    await using issuer = await Issuer.start();
    break_(issuer);
    await using service = await startScene(issuer.env);
    const answer = await service.client.get('/v1/sessions', bearer(await issuer.token('alice')));
    expect(answer.status).toBe(503);
    expect(issuer.keySetsAsked).toBe(0);
    expect(service.service.log()).toContain('the keys of JWT_ISSUER cannot be read');
  });
});
