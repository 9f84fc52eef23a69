// `TRUST_PROXY`: the addresses of gateways.

import { BlockList, isIP } from 'node:net';

export interface AddressRange {
  includes(address: string | undefined): boolean;
}

/** The parts of `10.0.0.0/8` or `::1`; `undefined` when it is no address, or its prefix is too long. */
function partsOf(cidr: string): { readonly address: string; readonly bits: number } | undefined {
  const [address = '', prefix, ...rest] = cidr.split('/');
  const bitsMax = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (bitsMax === -1 || rest.length > 0 || address.includes('%')) return undefined;
  if (prefix === undefined) return { address, bits: bitsMax };
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= bitsMax ? { address, bits: Number(prefix) } : undefined;
}

export function isCidr(text: string): boolean {
  return partsOf(text) !== undefined;
}

export function addressRange(cidrs: readonly string[]): AddressRange {
  const list = new BlockList();
  for (const { address, bits } of cidrs.flatMap((cidr) => partsOf(cidr) ?? [])) {
    list.addSubnet(address, bits, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return {
    includes(address = '') {
      // A socket that listens on both families shows an IPv4 peer in this form.
      const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
      const family = isIP(plain);
      return family !== 0 && list.check(plain, family === 6 ? 'ipv6' : 'ipv4');
    },
  };
}
