// Generation settings: the defaults of a session and the overrides of a send.

import { describe, expect, it } from 'vitest';
import { settingsOf } from '../../src/chat/session.ts';
import { mergeSettings, SETTING_NAMES } from '../../src/chat/settings.ts';

describe('mergeSettings', () => {
  it('takes an override, inherits what is absent, and clears what is null', () => {
    const defaults = { temperature: 0.5, topK: 40, maxOutputTokens: 100 };
    expect(mergeSettings(defaults, { temperature: 0.9, topK: null })).toEqual({
      temperature: 0.9,
      maxOutputTokens: 100,
    });
  });

  it('takes zero, an empty list and false as values', () => {
    const defaults = { temperature: 1, topP: 1, stopSequences: ['x'], thinkingConfig: { includeThoughts: true } };
    const overrides = { temperature: 0, topP: 0, stopSequences: [], thinkingConfig: { includeThoughts: false } };
    expect(mergeSettings(defaults, overrides)).toEqual(overrides);
  });

  it('replaces a field whole', () => {
    const defaults = { thinkingConfig: { includeThoughts: true, thinkingBudget: 5 }, labels: { a: '1' } };
    const overrides = { thinkingConfig: { thinkingBudget: 9 }, labels: { b: '2' } };
    expect(mergeSettings(defaults, overrides)).toEqual(overrides);
  });

  it('knows settings only', () => {
    const strangers: object = JSON.parse('{"model": "x", "displayName": "y", "__proto__": {"temperature": 1}}');
    expect(mergeSettings({ seed: 1 }, strangers)).toEqual({ seed: 1 });
    expect(mergeSettings(strangers, { seed: 1 })).toEqual({ seed: 1 });
  });

  it('clears what was never set without a trace', () => {
    expect(mergeSettings({}, { seed: null })).toEqual({});
  });
});

describe('settingsOf', () => {
  it('leaves out what is not for the model', () => {
    const settings = { temperature: 0, stopSequences: [], seed: 7 };
    const config = { model: 'm', displayName: 'n', metadata: { a: 'b' }, context: 'c', examples: [], ...settings };
    expect(settingsOf(config)).toEqual(settings);
  });
});

describe('the names of the settings', () => {
  it('are the contract’s', () => {
    expect([...SETTING_NAMES].sort()).toEqual(
      [
        ...['maxOutputTokens', 'temperature', 'topK', 'topP', 'stopSequences', 'seed', 'presencePenalty'],
        ...['frequencyPenalty', 'responseMimeType', 'responseJsonSchema', 'thinkingConfig', 'safetySettings'],
        ...['tools', 'toolConfig', 'labels'],
      ].sort(),
    );
  });
});
