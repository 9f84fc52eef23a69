import { describe, expect, test } from 'vitest';
import { addressRange, isCidr } from '../../src/identity/address-range.ts';

test.each([
  ['10.0.0.0/8', '10.200.3.4', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['10.0.0.0/8', '::ffff:10.1.2.3', true],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.4', false],
  ['0.0.0.0/1', '8.8.8.8', true],
  ['0.0.0.0/1', '::1', false],
  ['::ffff:10.0.0.0/104', '10.1.2.3', true],
  ['::ffff:10.0.0.0/104', '11.1.2.3', false],
  ['::1/64', '1.2.3.4', false],
  ['::/64', '::ffff:1.2.3.4', false],
  ['fd00::/8', 'fd12::1', true],
  ['fd00::/8', 'fe80::1', false],
  ['::1', '::1', true],
  ['::1', undefined, false],
  ['::1', 'localhost', false],
])('%s includes %s: %s', (cidr, address, isIn) => {
  expect(addressRange(['192.0.2.0/24', cidr]).includes(address)).toBe(isIn);
});

test('an empty range includes nobody', () => {
  expect(addressRange([]).includes('127.0.0.1')).toBe(false);
});

describe('is no range:', () => {
  test.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::1/129',
    'fe80::1%eth0',
    '*',
  ])('%s', (text) => expect(isCidr(text)).toBe(false));
});
