// Somebody else's web site, on a third origin, that embeds rooms.

import http from 'node:http';
import { once } from 'node:events';

export class Blog {
  #server;
  #pages = new Map();

  static async open(port) {
    const blog = new Blog();
    blog.#server = http.createServer((request, response) => blog.#answer(request, response));
    blog.#server.listen(port, '127.0.0.1');
    await once(blog.#server, 'listening');
    return blog;
  }

  /** Publishes a page with this in its body, and perhaps in its head. */
  publish(path, body, head = '') {
    this.#pages.set(path, { head, body });
  }

  async close() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(request, response) {
    const page = this.#pages.get(new URL(request.url, 'http://blog.test').pathname);
    const { head, body } = page ?? { head: '', body: '' };
    response.writeHead(page === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!DOCTYPE html><html lang="en"><head><title>A blog</title><link rel="icon" href="data:,">${head}</head><body><h1>A blog</h1>${body}</body></html>`);
  }
}
