// The network between browsers and the API: a TCP proxy that can be cut. Its address is the API's
// public one, so the server behind it can die and come back as it does behind a load balancer.

import net from 'node:net';
import { once } from 'node:events';

export class Network {
  #server;
  #target;
  #pairs = new Set();
  #cut = false;
  #idleMs = 0;
  /** How many connections were cut because nothing came through them. */
  idleCuts = 0;

  static async before(targetPort) {
    const network = new Network();
    network.#target = targetPort;
    network.#server = net.createServer((client) => network.#carry(client));
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    return network;
  }

  get port() {
    return this.#server.address().port;
  }

  /** How many connections are open. */
  get connections() {
    return this.#pairs.size;
  }

  /** Drops every connection and refuses new ones until `mend`. */
  cut() {
    this.#cut = true;
    this.drop();
  }

  mend() {
    this.#cut = false;
  }

  /** Cuts every connection through which nothing comes for so long, as a load balancer does. */
  cutIdle(afterMs) {
    this.#idleMs = afterMs;
  }

  /** Drops every connection; new ones are carried. */
  drop() {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    }
  }

  async close() {
    this.drop();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #carry(client) {
    if (this.#cut) {
      client.resetAndDestroy();
      return;
    }
    const upstream = net.connect(this.#target, '127.0.0.1');
    const pair = { client, upstream };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.setTimeout(this.#idleMs, () => {
        this.idleCuts += 1;
        end();
      });
      socket.on('error', end);
      socket.on('close', end);
    }
    client.pipe(upstream).pipe(client);
  }
}
