// Who the service says it is: Application Default Credentials as google-auth-library finds them in the environment of a
// process, with tokens from a server of ours.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Client } from '../support/client.ts';
import { until } from '../support/until.ts';
import { answer, asJson, type Script, startUpstream, type Upstream } from '../support/upstream.ts';
import {
  type Environment,
  externalAccount,
  impersonatedAccount,
  SUBJECT,
  startProcess,
} from './credentials-process.ts';

/** The fake of a metadata server: tokens with numbers. */
function metadataScript(tokenAnswer: (number: number) => Promise<object> | object): Script {
  let tokens = 0;
  return async (response, { url }) => {
    const isToken = url.includes('/service-accounts/default/token');
    if (isToken) tokens += 1;
    const value = isToken ? await tokenAnswer(tokens) : 'p';
    asJson(response, 200, value, { 'metadata-flavor': 'Google' });
  };
}

function token(number: number, expiresInS = 3600): object {
  return { access_token: `ya29.token-${number}`, expires_in: expiresInS, token_type: 'Bearer' };
}

function tokenRequests({ calls }: Upstream): number {
  return calls.filter(({ url }) => url.includes('token')).length;
}

/** What the model was told: which token, in the order of the calls. */
function tokensSeen({ calls }: Upstream): readonly unknown[] {
  return calls.map(({ headers }) => headers.authorization);
}

const ok: Script = (response, call) => answer(response, call, 'ok');

/** The model refuses these tokens, and takes all others. */
function refusing(...tokens: readonly string[]): Script {
  return (response, call) => {
    const given = call.headers.authorization?.replace('Bearer ', '') ?? '';
    if (!tokens.includes(given)) return ok(response, call);
    const message = `Request had invalid authentication credentials: ${given}`;
    return asJson(response, 401, { error: { code: 401, status: 'UNAUTHENTICATED', message } });
  };
}

function gce(metadata: Upstream): Environment {
  return { GCE_METADATA_HOST: metadata.address };
}

async function send(client: Client, path?: string) {
  return client.post(`${path ?? (await client.session())}/messages`, { message: 'Hi' });
}

/** Ten turns begin; then the gate is opened, and all have to be answered. */
async function sendTenAtOnce(client: Client, openGate: () => void): Promise<void> {
  const paths = await Promise.all(Array.from({ length: 10 }, () => client.session()));
  const sent = paths.map((path) => send(client, path));
  for (const path of paths) await until('the turn runs', async () => (await client.get(path)).json.activeTurn);
  openGate();
  for (const { json } of await Promise.all(sent)) expect(json.text).toBe('ok');
}

describe('on a machine of Google', () => {
  it('the token of the metadata server is sent, and asked for once', async () => {
    await using metadata = await startUpstream(metadataScript((number) => token(number)));
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, gce(metadata));
    for (let round = 0; round < 3; round += 1) expect((await send(service.client)).json.text).toBe('ok');
    expect(tokensSeen(model)).toEqual(Array(3).fill('Bearer ya29.token-1'));
    expect(tokenRequests(metadata)).toBe(1);
    expect(model.calls[0]?.headers).not.toHaveProperty('x-goog-api-key');
    const scopes = metadata.calls.find(({ url }) => url.includes('token'))?.url ?? '';
    expect(decodeURIComponent(scopes)).toContain('https://www.googleapis.com/auth/cloud-platform');
    expect(await service.end()).not.toContain('ya29');
  });

  it('ten calls at once that find no token make one request for one', async () => {
    const gate = Promise.withResolvers<void>();
    const script = metadataScript(async (number) => {
      await gate.promise;
      return token(number);
    });
    await using metadata = await startUpstream(script);
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, gce(metadata));
    await sendTenAtOnce(service.client, gate.resolve);
    expect(new Set(tokensSeen(model))).toEqual(new Set(['Bearer ya29.token-1']));
    expect(tokenRequests(metadata)).toBe(1);
  });

  it('a refused token is replaced once, and the call made once more', async () => {
    await using metadata = await startUpstream(metadataScript((number) => token(number)));
    await using model = await startUpstream(refusing('ya29.token-1'));
    await using service = await startProcess(model, gce(metadata));
    expect((await send(service.client)).json.text).toBe('ok');
    expect(tokensSeen(model)).toEqual(['Bearer ya29.token-1', 'Bearer ya29.token-2']);
    expect(tokenRequests(metadata)).toBe(2);
    expect((await send(service.client)).json.text).toBe('ok');
    expect(tokenRequests(metadata)).toBe(2);
  });

  it('a token that ten calls were refused with, early and late, is replaced once', async () => {
    const [early, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const refusal = refusing('ya29.token-1');
    let calls = 0;
    await using metadata = await startUpstream(metadataScript((number) => token(number)));
    await using model = await startUpstream(async (response, call) => {
      calls += 1;
      if (calls <= 5) await early.promise;
      else if (calls <= 10) await late.promise;
      return refusal(response, call);
    });
    await using service = await startProcess(model, gce(metadata));
    const sent = Array.from({ length: 10 }, () => send(service.client));
    await until('ten calls have come', () => model.calls.length === 10);
    early.resolve();
    await until('five calls have been made again', () => model.calls.length === 15);
    late.resolve();
    for (const { json } of await Promise.all(sent)) expect(json.text).toBe('ok');
    expect((await send(service.client)).json.text).toBe('ok');
    expect({ calls: model.calls.length, tokens: tokenRequests(metadata) }).toEqual({ calls: 21, tokens: 2 });
  });

  it('a token that is always refused ends in a model_error that tells no token, nor does the log', async () => {
    await using metadata = await startUpstream(metadataScript((number) => token(number)));
    await using model = await startUpstream(refusing('ya29.token-1', 'ya29.token-2'));
    await using service = await startProcess(model, gce(metadata));
    const { status, json, text } = await send(service.client);
    expect({ status, code: json.code, retryable: json.retryable }).toEqual({
      status: 502,
      code: 'model_error',
      retryable: false,
    });
    expect({ calls: model.calls.length, tokens: tokenRequests(metadata) }).toEqual({ calls: 2, tokens: 2 });
    expect(text).not.toMatch(/ya29|credentials:/);
    const log = await service.end();
    expect(log).toContain('upstream 401 UNAUTHENTICATED');
    expect(log).not.toContain('ya29.token');
  });

  it('a token about to expire is replaced before it does', async () => {
    await using metadata = await startUpstream(metadataScript((number) => token(number, number === 1 ? 20 : 3600)));
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, gce(metadata));
    for (let round = 0; round < 3; round += 1) await send(service.client);
    expect(tokensSeen(model)).toEqual(['Bearer ya29.token-1', 'Bearer ya29.token-2', 'Bearer ya29.token-2']);
  });

  it('a metadata server that does not answer costs no more time than the model may take', async () => {
    await using metadata = await startUpstream(metadataScript(() => new Promise<object>(() => undefined)));
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, gce(metadata), 400);
    const { status, json } = await send(service.client);
    expect({ status, code: json.code }).toEqual({ status: 504, code: 'model_timeout' });
    expect(model.calls).toHaveLength(0);
  });
});

describe('with the file of an external account', () => {
  it('its token and its quota project are sent', async () => {
    await using tokens = await startUpstream((response) => {
      const issued = { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
      asJson(response, 200, { ...token(1), ...issued });
    });
    await using account = await externalAccount(tokens);
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, account.env);
    expect((await send(service.client)).json.text).toBe('ok');
    expect(model.calls[0]?.headers).toMatchObject({
      authorization: 'Bearer ya29.token-1',
      'x-goog-user-project': 'who-pays',
    });
    expect(tokens.calls).toHaveLength(1);
    expect(tokens.calls[0]?.body).toContain(SUBJECT);
  });

  it('a token service that cannot be reached is a model that cannot be, and is told in the time of a connection', async () => {
    await using tokens = await startUpstream(() => undefined);
    await using account = await externalAccount(tokens);
    await using model = await startUpstream(ok);
    await tokens.close();
    await using service = await startProcess(model, account.env, 30_000, 500);
    const started = performance.now();
    const { status, json } = await send(service.client);
    expect({ status, code: json.code }).toEqual({ status: 502, code: 'model_unreachable' });
    expect(performance.now() - started).toBeLessThan(5000);
    expect(await service.end()).toContain('no access token');
  });

  it('a refusal of the token service is a model_error that tells nothing of it, and is over when it is over', async () => {
    let isBroken = true;
    await using tokens = await startUpstream((response) => {
      const description = `The token ${SUBJECT} was not accepted`;
      if (isBroken) asJson(response, 400, { error: 'invalid_grant', error_description: description });
      else asJson(response, 200, { ...token(1), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    });
    await using account = await externalAccount(tokens);
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, account.env);
    const refused = await send(service.client);
    expect({ status: refused.status, code: refused.json.code }).toEqual({ status: 502, code: 'model_error' });
    expect(refused.text).not.toMatch(/eyJ|invalid_grant/);
    expect(model.calls).toHaveLength(0);
    isBroken = false;
    expect((await send(service.client)).json.text).toBe('ok');
    const log = await service.end();
    expect(log).toContain('model_error');
    expect(log).not.toMatch(/eyJ|ya29/);
  });
});

describe('with an account that is impersonated', () => {
  it('ten calls at once that find no token make one request for one, which the library would not see to', async () => {
    const gate = Promise.withResolvers<void>();
    await using tokens = await startUpstream(async (response, { url }) => {
      if (url.endsWith(':generateAccessToken')) await gate.promise;
      const impersonated = {
        accessToken: 'ya29.impersonated',
        expireTime: new Date(Date.now() + 3_600_000).toISOString(),
      };
      const issued = { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
      asJson(response, 200, { ...token(1), ...issued, ...impersonated });
    });
    await using account = await impersonatedAccount(tokens);
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, account.env);
    await sendTenAtOnce(service.client, gate.resolve);
    expect(new Set(tokensSeen(model))).toEqual(new Set(['Bearer ya29.impersonated']));
    expect(tokens.calls.filter(({ url }) => url.endsWith(':generateAccessToken'))).toHaveLength(1);
  });
});

describe('without any credentials', () => {
  it('a call is a model_error at once, the log says what to do, and it is over once there are some', async () => {
    await using tokens = await startUpstream((response) => {
      asJson(response, 200, { ...token(1), issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' });
    });
    await using account = await externalAccount(tokens);
    await using model = await startUpstream(ok);
    await using service = await startProcess(model, { METADATA_SERVER_DETECTION: 'none' });
    const { status, json } = await send(service.client);
    expect({ status, code: json.code }).toEqual({ status: 502, code: 'model_error' });
    expect(model.calls).toHaveLength(0);
    const folder = join(service.home, '.config', 'gcloud');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'application_default_credentials.json'), JSON.stringify(account.account));
    expect((await send(service.client)).json.text).toBe('ok');
    expect(await service.end()).toContain('Application Default Credentials');
  });
});
