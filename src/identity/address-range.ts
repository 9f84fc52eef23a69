// `TRUST_PROXY`: the addresses of gateways.

import { BlockList, isIP } from 'node:net';

export interface AddressRange {
  includes(address: string | undefined): boolean;
}

interface Cidr {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly bits: number;
}

const BITS_MAX = { ipv4: 32, ipv6: 128 } as const;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const MAPPED_BITS = 96;

/** `10.0.0.0/8`, `::1`. `undefined` for what is none, and for everybody: that is no gateway. */
function parseCidr(cidr: string): Cidr | undefined {
  const [address = '', prefix, ...rest] = cidr.split('/');
  const family = ({ 4: 'ipv4', 6: 'ipv6' } as const)[isIP(address)];
  if (family === undefined || rest.length > 0 || address.includes('%')) return undefined;
  const bits = prefix === undefined ? BITS_MAX[family] : Number(/^\d{1,3}$/.test(prefix) ? prefix : 0);
  if (bits < 1 || bits > BITS_MAX[family]) return undefined;
  const mapped = MAPPED.exec(address)?.[1];
  if (mapped === undefined) return { family, address, bits };
  return bits > MAPPED_BITS ? { family: 'ipv4', address: mapped, bits: bits - MAPPED_BITS } : undefined;
}

export function isCidr(text: string): boolean {
  return parseCidr(text) !== undefined;
}

export function addressRange(cidrs: readonly string[]): AddressRange {
  // One for each family: a BlockList takes every IPv4 address for one of `::/64`, too.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const { family, address, bits } of cidrs.flatMap((cidr) => parseCidr(cidr) ?? [])) {
    lists[family].addSubnet(address, bits, family);
  }
  return {
    includes(address = '') {
      // A socket that listens on both families shows an IPv4 peer in this form.
      const plain = MAPPED.exec(address)?.[1] ?? address;
      const family = ({ 4: 'ipv4', 6: 'ipv6' } as const)[isIP(plain)];
      return family !== undefined && lists[family].check(plain, family);
    },
  };
}
