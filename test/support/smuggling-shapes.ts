// Requests whose end can be read in more than one way, each with another request where one of the readings ends. Whoever reads it
// there makes a session that is called `smuggled`.

const CREATE = 'POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const INNER = '{"id":"smuggled"}';
export const SMUGGLED = `${CREATE}Content-Length: ${INNER.length}\r\n\r\n${INNER}`;

/** A body of chunks that says nothing, and ends before what is smuggled. */
const CHUNKS = '2\r\n{}\r\n0\r\n\r\n';
const chunked = (body: string) => `${CREATE}Transfer-Encoding: chunked\r\n\r\n${body}${SMUGGLED}`;
const encoded = (lines: string) => `${CREATE}${lines}\r\n\r\n${CHUNKS}${SMUGGLED}`;
const beside = (lines: string) => `${CREATE}${lines}Content-Length: 2\r\n\r\n{}${SMUGGLED}`;

/** Bytes as characters of Latin-1. */
export const SHAPES: Readonly<Record<string, string>> = {
  'a length before chunks': encoded('Content-Length: 4\r\nTransfer-Encoding: chunked'),
  'chunks before a length': encoded('Transfer-Encoding: chunked\r\nContent-Length: 4'),
  'the same length twice': `${CREATE}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}${SMUGGLED}`,
  'a list of lengths': `${CREATE}Content-Length: 2, 2\r\n\r\n{}${SMUGGLED}`,
  'a length with a sign': `${CREATE}Content-Length: +2\r\n\r\n{}${SMUGGLED}`,
  'a hexadecimal length': `${CREATE}Content-Length: 0x2\r\n\r\n{}${SMUGGLED}`,
  'a length of two numbers': `${CREATE}Content-Length: 2 2\r\n\r\n{}${SMUGGLED}`,
  'a length that overflows to two': `${CREATE}Content-Length: 18446744073709551618\r\n\r\n{}${SMUGGLED}`,
  'a length on the next line': `${CREATE}Content-Length:\r\n 2\r\n\r\n{}${SMUGGLED}`,
  'an unknown encoding': encoded('Transfer-Encoding: xchunked'),
  'chunks twice': encoded('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'),
  'chunks, then identity': encoded('Transfer-Encoding: chunked, identity'),
  'chunks, and identity on a line of its own': encoded('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'),
  'identity, then chunks': encoded('Transfer-Encoding: identity, chunked'),
  'compressed chunks': encoded('Transfer-Encoding: gzip, chunked'),
  'chunks with a parameter': encoded('Transfer-Encoding: chunked;q=1'),
  'chunks in quotes': encoded('Transfer-Encoding: "chunked"'),
  'chunks after a vertical tab': encoded('Transfer-Encoding: \x0bchunked'),
  'an encoding with a space before the colon': encoded('Transfer-Encoding : chunked'),
  'an encoding on the next line': encoded('Transfer-Encoding:\r\n chunked'),
  'a header that goes on in the next line': `${CREATE}X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}${SMUGGLED}`,
  'a first header that begins with a space': beside('').replace('Host', ' Host'),
  'line ends without carriage returns': beside('').replaceAll('\r\n', '\n'),
  'one such line end': beside('X-A: a\n'),
  'such a line end that hides an encoding': encoded('X-A: a\nTransfer-Encoding: chunked'),
  'an empty line without carriage returns': `${CREATE}Content-Length: 2\n\n{}${SMUGGLED}`,
  'a carriage return within a header': encoded('X-A: a\rTransfer-Encoding: chunked'),
  'two carriage returns': `${CREATE}Content-Length: 2\r\r\n\r\n{}${SMUGGLED}`,
  'a zero byte in a header': beside('X-A: a\0b\r\n'),
  'a zero byte in a name': beside('X-\0A: a\r\n'),
  'a space in a name': beside('X A: a\r\n'),
  'a header without a colon': beside('X-A\r\n'),
  'a chunk whose size overflows to two': chunked(`10000000000000002\r\n{}\r\n0\r\n\r\n`),
  'a chunk with a sign': chunked('+2\r\n{}\r\n0\r\n\r\n'),
  'a negative chunk': chunked('-2\r\n{}\r\n0\r\n\r\n'),
  'a chunk in the notation of C': chunked('0x2\r\n{}\r\n0\r\n\r\n'),
  'a chunk after a space': chunked(' 2\r\n{}\r\n0\r\n\r\n'),
  'a chunk before a space': chunked('2 \r\n{}\r\n0\r\n\r\n'),
  'a chunk size without a carriage return': chunked('2\n{}\r\n0\r\n\r\n'),
  'a chunk that ends without one': chunked('2\r\n{}\n0\r\n\r\n'),
  'a last chunk without them': chunked('2\r\n{}\r\n0\n\n'),
  'a chunk that ends with something else': chunked('2\r\n{}XX0\r\n\r\n'),
  'a chunk that is longer than it says': chunked('2\r\n{}{}\r\n0\r\n\r\n'),
  'an extension that ends without a carriage return': chunked('2;a\n{}\r\n0\r\n\r\n'),
  'an extension in quotes that holds the line end': chunked('2;a="\r\n{}\r\n0\r\n\r\n'),
  'an extension without an end': chunked(`2;a=${'b'.repeat(100_000)}`),
  'a length after the last chunk': chunked('2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n'),
  'chunks of HTTP/1.0': encoded('Transfer-Encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0'),
  'two hosts': beside('Host: y\r\n'),
  'a host that is none': beside('').replace('Host: x', 'Host: a@b/../c'),
};
