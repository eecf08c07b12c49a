// A client of the socket without a browser, down to the bytes (RFC 6455): it can stop reading, and a
// browser cannot.

import crypto from 'node:crypto';
import net from 'node:net';
import { once } from 'node:events';

import { until } from './until.mjs';

const TEXT = 1;
const CLOSE = 8;

export class Wire {
  /** Every document that came. */
  received = [];
  closed = false;
  #socket;
  #unread = Buffer.alloc(0);
  #ids = 0;

  /** Connects through the network and greets as a visitor. */
  static async open(servers) {
    const wire = new Wire();
    wire.#socket = net.connect(servers.network.port, '127.0.0.1');
    wire.#socket.on('error', () => {});
    wire.#socket.on('close', () => { wire.closed = true; });
    await once(wire.#socket, 'connect');
    await wire.#upgrade(new URL(servers.api).host, servers.web);
    await wire.ask({ t: 'hello', caps: [], client: { name: 'test', build: '0' } });
    return wire;
  }

  /** Sends a command and returns its answer. */
  async ask(command) {
    this.#ids += 1;
    const id = this.#ids;
    this.#send(JSON.stringify({ ...command, id }));
    return until(() => this.received.find((document) => document.id === id), `${command.t} is answered`);
  }

  follow(room) {
    return this.ask({ t: 'sub', room, tail: 0 });
  }

  /** Takes nothing from the network any more, as a computer that was put to sleep. */
  stopReading() {
    this.#socket.pause();
  }

  close() {
    this.#socket.destroy();
  }

  async #upgrade(host, origin) {
    const key = crypto.randomBytes(16).toString('base64');
    const lines = ['GET /v1/ws HTTP/1.1', `host: ${host}`, `origin: ${origin}`, 'upgrade: websocket', 'connection: Upgrade',
      'sec-websocket-version: 13', `sec-websocket-key: ${key}`, 'sec-websocket-protocol: chat.v1.json', '', ''];
    let answer = Buffer.alloc(0);
    const isAnswered = new Promise((resolve) => {
      const take = (bytes) => {
        answer = Buffer.concat([answer, bytes]);
        const end = answer.indexOf('\r\n\r\n');
        if (end < 0) return;
        this.#socket.off('data', take);
        this.#socket.on('data', (more) => this.#take(more));
        this.#take(answer.subarray(end + 4));
        resolve();
      };
      this.#socket.on('data', take);
      this.#socket.on('close', resolve);
    });
    this.#socket.write(lines.join('\r\n'));
    await isAnswered;
    const status = answer.toString('latin1').split('\r\n', 1)[0];
    if (!status.startsWith('HTTP/1.1 101 ')) throw new Error(`the socket was refused: ${status}`);
  }

  #take(bytes) {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    for (;;) {
      const frame = readFrame(this.#unread);
      if (frame === null) return;
      this.#unread = this.#unread.subarray(frame.size);
      if (frame.opcode === CLOSE) this.close();
      if (frame.opcode !== TEXT) continue;
      for (const line of frame.payload.toString().split('\n')) this.#receive(JSON.parse(line));
    }
  }

  #receive(document) {
    this.received.push(document);
    if (document.t === 'ping') this.#send('{"t":"pong"}');
  }

  #send(text) {
    this.#socket.write(writeFrame(text));
  }
}

/** The first whole frame of these bytes; a server's frames are not masked. */
function readFrame(bytes) {
  if (bytes.length < 2) return null;
  let length = bytes[1] & 0x7f;
  let head = 2;
  if (length === 126) {
    if (bytes.length < 4) return null;
    length = bytes.readUInt16BE(2);
    head = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return null;
    length = Number(bytes.readBigUInt64BE(2));
    head = 10;
  }
  if (bytes.length < head + length) return null;
  return { opcode: bytes[0] & 0x0f, payload: bytes.subarray(head, head + length), size: head + length };
}

/** A text frame as a client sends it: whole and masked. */
function writeFrame(text) {
  const payload = Buffer.from(text);
  const mask = crypto.randomBytes(4);
  for (let at = 0; at < payload.length; at += 1) payload[at] ^= mask[at % 4];
  const head = payload.length < 126 ? Buffer.from([0x80 | TEXT, 0x80 | payload.length]) : Buffer.from([0x80 | TEXT, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, mask, payload]);
}
