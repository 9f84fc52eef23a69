// Preloaded where a peer listens on every interface and cannot be told otherwise: a gateway that sends requests wherever
// its callers say is not to be open to the network while it is measured.

import { Server } from 'node:net';

const listen = Server.prototype.listen;

Server.prototype.listen = function (port, host, ...rest) {
  return typeof port === 'number'
    ? listen.call(this, port, host ?? '127.0.0.1', ...rest)
    : listen.call(this, port, host, ...rest);
};
