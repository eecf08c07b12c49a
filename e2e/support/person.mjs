// A person with a browser of their own: what they do and what they see.

import assert from 'node:assert/strict';

import { ApiUser } from './api.mjs';
import * as complaints from './complaints.mjs';
import { until } from './until.mjs';

/** The rows of the timeline as a reader sees them. Runs in the page. */
function readRows() {
  const text = (row, id) => {
    const element = row.querySelector(`[data-testid=${id}]`);
    if (element === null) return null;
    const mark = element.querySelector('.message__edited')?.innerText ?? '';
    return element.innerText.slice(0, element.innerText.length - mark.length).trim();
  };
  return [...document.querySelectorAll('[role=log] [data-testid=message]')].map((row) => ({
    id: row.dataset.messageId,
    state: row.dataset.state,
    number: row.dataset.number ? Number(row.dataset.number) : null,
    author: text(row, 'author'),
    body: text(row, 'body'),
  }));
}

/** Only the module says this, and only when its socket is greeted; the server's page never does. */
const ALIVE = 'html[data-connection=online]';

export class Person {
  /** Requests and sockets of this person, as `{ method, url, headers }` and `{ url, sent, received, closed }`. */
  requests = [];
  sockets = [];
  /** What the page complained about. */
  complaints = [];

  constructor(servers, context, page, name) {
    this.servers = servers;
    this.context = context;
    this.name = name;
    this.watch(page);
  }

  /** Makes a page the one that this person looks at. */
  watch(page) {
    this.page = page;
    this.view = page;
    page.on('request', (request) => this.requests.push({ method: request.method(), url: request.url(), headers: request.headers() }));
    page.on('websocket', (socket) => this.#watchSocket(socket));
    complaints.listen(page, (text) => this.complaints.push(text));
  }

  #watchSocket(socket) {
    const seen = { url: socket.url(), sent: [], received: [], closed: false };
    this.sockets.push(seen);
    const documents = (payload) => payload.toString().split('\n').map((line) => JSON.parse(line));
    socket.on('framesent', ({ payload }) => seen.sent.push(...documents(payload)));
    socket.on('framereceived', ({ payload }) => seen.received.push(...documents(payload)));
    socket.on('close', () => { seen.closed = true; });
  }

  /** Opens a page of the blog, and looks into the frame in it. */
  async visit(path) {
    await this.page.goto(this.servers.blog + path);
    await this.lookIntoFrame();
    return this;
  }

  /** From now on this person looks at the frame in the page. */
  async lookIntoFrame() {
    const frame = this.page.locator('iframe').first();
    await frame.waitFor({ state: 'attached' });
    await frame.scrollIntoViewIfNeeded();
    this.view = frame.contentFrame();
    await this.isInteractive();
  }

  /** An element by its stable hook, in the frame that this person looks at. */
  at(id) {
    return this.view.locator(`[data-testid="${id}"]`);
  }

  // Going places.

  async open(path) {
    await this.page.goto(new URL(path, this.servers.web).href);
    await this.isInteractive();
  }

  async openRoom(room) {
    await this.open(`/r/${room}`);
    await this.followsRoom();
  }

  /** The room is here: its messages are shown and what comes next will be. */
  async followsRoom() {
    await this.view.locator('[role=log]:not([aria-busy])').waitFor();
  }

  async reload() {
    await this.page.reload();
    await this.isInteractive();
  }

  /** Another tab of the same browser, as somebody who looks at it. */
  async tab(name) {
    return new Person(this.servers, this.context, await this.context.newPage(), name);
  }

  /** The module has taken over the server's page, and is connected: before that, a click is lost. */
  async isInteractive() {
    await this.view.locator(ALIVE).first().waitFor({ state: 'attached' });
  }

  /** Joins as a guest under this person's name. */
  async join(name = this.name) {
    await this.view.locator('[data-testid=join]:enabled').first().waitFor();
    await this.at('join-name').first().fill(name);
    await this.at('join').first().click();
    return this;
  }

  async openAndJoin(room) {
    await this.openRoom(room);
    await this.join();
    await this.canWrite();
    return this;
  }

  async canWrite() {
    await this.at('composer').waitFor({ state: 'visible' });
    await until(() => this.at('composer').isEnabled(), 'the composer can be used');
  }

  // Writing.

  async say(text) {
    await this.at('composer').fill(text);
    await this.at('composer').press('Enter');
  }

  /** Opens a message's actions and chooses one. */
  async act(body, action) {
    const row = this.row(body);
    await row.hover();
    const chosen = row.locator(`[data-testid="${action}"]`);
    if (!(await chosen.isVisible())) await row.locator('[data-testid="message-actions"]').click();
    await this.at(action).filter({ visible: true }).first().click();
  }

  // Seeing.

  /** The one row whose text is this. */
  row(body) {
    return this.at('message').filter({ has: this.view.locator('[data-testid="body"]', { hasText: body }) }).first();
  }

  rows() {
    return this.view.locator('body').evaluate(readRows);
  }

  async bodies() {
    return (await this.rows()).map((row) => row.body);
  }

  /** Waits until exactly `times` rows say this and are sent. */
  async sees(body, times = 1, withinMs) {
    const matching = async () => (await this.rows()).filter((row) => row.body === body && row.state === 'sent');
    await until(
      async () => (await matching()).length === times,
      async () => `${this.name} sees ${JSON.stringify(body)} ${times} times; there is ${JSON.stringify(await this.rows())}`,
      withinMs,
    );
  }

  async seesNo(body) {
    await until(
      async () => !(await this.bodies()).includes(body),
      async () => `${this.name} no longer sees ${JSON.stringify(body)}; there is ${JSON.stringify(await this.bodies())}`,
    );
  }

  /** Waits until the timeline is exactly these texts, all of them sent. */
  async shows(bodies, withinMs) {
    const rows = async () => this.rows();
    await until(
      async () => {
        const seen = await rows();
        return seen.every((row) => row.state === 'sent') && same(seen.map((row) => row.body), bodies);
      },
      async () => `${this.name} sees ${JSON.stringify(bodies)}; there is ${JSON.stringify(await rows())}`,
      withinMs,
    );
  }

  /** Waits until a row with this text is in this state. */
  async seesState(body, state, withinMs) {
    await until(
      async () => (await this.rows()).some((row) => row.body === body && row.state === state),
      async () => `${this.name} sees ${JSON.stringify(body)} ${state}; there is ${JSON.stringify(await this.rows())}`,
      withinMs,
    );
  }

  /** Nothing is shown twice and the numbers rise. */
  async seesEachMessageOnce() {
    const rows = await this.rows();
    const ids = rows.map((row) => row.id);
    assert.equal(new Set(ids).size, ids.length, `a message is shown twice: ${JSON.stringify(rows)}`);
    const numbers = rows.map((row) => row.number).filter((number) => number !== null);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), 'messages are out of order');
  }

  /** Whether this row is wholly in view. */
  isInView(body) {
    return this.row(body).evaluate((row) => {
      const box = row.getBoundingClientRect();
      const log = document.querySelector('[role=log]').getBoundingClientRect();
      return box.bottom <= Math.min(log.bottom, innerHeight) + 1 && box.top >= log.top - 1;
    });
  }

  /** The first access token that this person's open socket was given. */
  async token() {
    const said = () => this.sockets.filter((socket) => !socket.closed).flatMap(({ sent }) => sent).find(({ token }) => token);
    return (await until(said, `${this.name} has told the server who they are`)).token;
  }

  /** Who the server says this is; a name that somebody else has got a number. */
  async user() {
    return (await new ApiUser(this.servers.apiDirect, await this.token()).get('/v1/me')).user;
  }

  /** The scrolling element of the timeline. */
  log() {
    return this.view.locator('[role=log]');
  }

  async close() {
    await this.context.close();
  }
}

const same = (left, right) => left.length === right.length && left.every((value, at) => value === right[at]);
