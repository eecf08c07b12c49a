// The API as a program uses it: for preparing what a test is not about, and for what no page shows.

import crypto from 'node:crypto';

/** An answer that is not a success, with the problem that the server states. */
export class Refused extends Error {
  constructor(status, headers, problem) {
    super(`${status} ${problem?.code ?? ''} ${problem?.detail ?? ''}`);
    this.status = status;
    this.headers = headers;
    this.problem = problem;
  }
}

/** Somebody who uses the API without a browser. */
export class ApiUser {
  static async guest(servers, name) {
    const user = new ApiUser(servers.apiDirect);
    user.adopt(await user.post('/v1/guests', { name }));
    return user;
  }

  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  adopt(signedIn) {
    this.user = signedIn.user;
    this.token = signedIn.tokens.access_token;
    this.refreshToken = signedIn.tokens.refresh_token;
  }

  async call(method, path, body) {
    const headers = { accept: 'application/json' };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(this.base + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    const value = text ? JSON.parse(text) : null;
    if (!answer.ok) throw new Refused(answer.status, answer.headers, value);
    return value;
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body) {
    return this.call('POST', path, body);
  }

  /** A public room, whose id is returned. */
  async createRoom(name) {
    const summary = await this.post('/v1/rooms', { kind: 'public', name });
    return summary.room.id;
  }

  send(room, body, clientId = uuid7()) {
    return this.post(`/v1/rooms/${room}/messages`, { client_id: clientId, body });
  }

  /** Sends a message that answers another. */
  reply(room, id, body) {
    return this.post(`/v1/rooms/${room}/messages`, { client_id: uuid7(), body, reply_to: id });
  }

  /** Every message of a room, oldest first. */
  async history(room) {
    let messages = [];
    let before = '';
    for (;;) {
      const page = await this.get(`/v1/rooms/${room}/messages?limit=100${before}`);
      messages = [...page.messages, ...messages];
      if (!page.more_before || page.messages.length === 0) return messages;
      before = `&before=${page.messages[0].number}`;
    }
  }
}

/** A version 7 UUID (RFC 9562, section 5.7). */
export function uuid7() {
  const bytes = crypto.randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The text of a message, `null` when it was deleted. */
export const bodyOf = (message) => (message.content.kind === 'text' ? message.content.body : null);
