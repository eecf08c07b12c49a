// One world for each test file: servers, a browser, a blog, and the people in it.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

import { ApiUser } from './api.mjs';
import { Blog } from './blog.mjs';
import { listenToPolicies } from './complaints.mjs';
import { Person } from './person.mjs';
import { ROOMY, Servers } from './servers.mjs';
import * as settings from './settings.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Names that are not trusted origins, as on most plain-HTTP pages: `localhost` would be one.
  '--host-resolver-rules=MAP *.test 127.0.0.1',
];

/** A scenario that takes longer is stuck. */
const SCENARIO_MS = 120_000;

class World {
  #people = [];
  #profiles = [];
  #rooms = 0;
  #provoked = [];
  /** What pages of people who left asked the API for, as `GET /v1/me`. */
  asked = new Set();
  /** The names of the commands that they sent over their sockets. */
  said = new Set();

  async start(name, environment) {
    this.servers = await Servers.start(name, environment);
    this.blog = await Blog.open(this.servers.ports.blog);
    this.browser = await chromium.launch({ executablePath: settings.chromium, args: FLAGS });
  }

  async stop() {
    await this.browser?.close();
    await this.blog?.close();
    await this.servers?.stop();
    // A browser that closes still writes for a moment.
    for (const profile of this.#profiles) fs.rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** Somebody with a fresh browser profile. */
  async person(name, options = {}) {
    const context = await this.browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
    return this.#enter(context, name);
  }

  async #enter(context, name) {
    context.setDefaultTimeout(15_000);
    await listenToPolicies(context);
    const person = new Person(this.servers, context, await context.newPage(), name);
    this.#people.push(person);
    return person;
  }

  /** Another tab of somebody's browser, looked at by itself. */
  async tabOf(person, name) {
    const tab = await person.tab(name);
    this.#people.push(tab);
    return tab;
  }

  /** This scenario makes pages complain in this way (one of `PROVOKED`), and that is no fault. */
  provokes(kind) {
    this.#provoked.push(kind);
  }

  /** Somebody whose browser blocks storage in third-party frames, as many do by default. */
  async personWithBlockedStorage(name) {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'sarangbang-profile-'));
    fs.mkdirSync(path.join(profile, 'Default'));
    // Playwright turns the partitioning of storage off, so that blocking it here means what it says.
    const preferences = { profile: { cookie_controls_mode: 1, block_third_party_cookies: true } };
    fs.writeFileSync(path.join(profile, 'Default/Preferences'), JSON.stringify(preferences));
    const context = await chromium.launchPersistentContext(profile, { executablePath: settings.chromium, args: FLAGS, locale: 'en-US' });
    this.#profiles.push(profile);
    return this.#enter(context, name);
  }

  /** A guest who joined this room under this name. */
  async guest(name, room, options) {
    const person = await this.person(name, options);
    return person.openAndJoin(room);
  }

  /** A guest who came in by the lobby. */
  async lobbyGuest(name) {
    const person = await this.person(name);
    await person.open('/');
    await person.join();
    await person.at('account-menu').filter({ visible: true }).first().waitFor();
    return person;
  }

  /** Somebody who uses the API without a browser. */
  apiGuest(name) {
    return ApiUser.guest(this.servers, name);
  }

  /** A fresh public room, made by somebody who plays no further part. */
  async room(name = 'A room') {
    this.#rooms += 1;
    const host = await this.apiGuest(`host ${this.#rooms}`);
    return host.createRoom(`${name} ${this.#rooms}`);
  }

  async leave() {
    for (const person of this.#people) {
      await person.close();
      this.#remember(person);
    }
    const provoked = this.#provoked.splice(0);
    return this.#people.splice(0).flatMap(({ name, complaints }) =>
      complaints.filter((text) => !provoked.some((kind) => kind.test(text))).map((text) => `${name}: ${text}`));
  }

  #remember({ requests, sockets }) {
    const api = requests.filter(({ url }) => url.startsWith(`${this.servers.api}/`));
    for (const { method, url } of api) this.asked.add(`${method} ${new URL(url).pathname}`);
    for (const { t } of sockets.flatMap(({ sent }) => sent)) this.said.add(t);
  }

  async keepEvidence(title) {
    const base = path.join(settings.evidence, title.replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 80));
    for (const [at, person] of this.#people.entries()) {
      await person.page.screenshot({ path: `${base}-${at}-${person.name}.png` }).catch(() => {});
      const frames = person.sockets.map(({ url, sent, received, closed }) => ({ url, closed, sent, received }));
      fs.writeFileSync(`${base}-${at}-${person.name}.json`, JSON.stringify({ complaints: person.complaints, frames }, null, 1));
    }
  }
}

/**
 * Starts a world for the tests of this file and returns it with `scenario`, which runs one of them: its
 * people leave at the end, and a page that complained fails it, unless the scenario `provokes` that.
 */
export function world(name, environment = ROOMY) {
  const world = new World();
  before(() => world.start(name, environment), { timeout: SCENARIO_MS });
  after(() => world.stop());
  const scenario = (title, body) => test(title, { timeout: SCENARIO_MS }, async () => {
    let complaints;
    try {
      await body(world);
    } catch (error) {
      await world.keepEvidence(title);
      throw error;
    } finally {
      complaints = await world.leave();
    }
    assert.deepEqual(complaints, [], 'a page complained');
  });
  return { world, scenario };
}
